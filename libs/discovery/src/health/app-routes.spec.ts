import { afterEach, describe, expect, it } from '@jest/globals';
import {
  All,
  Controller,
  Get,
  Module,
  Post,
  Version,
  VERSION_NEUTRAL,
  VersioningType,
  type INestApplication,
} from '@nestjs/common';
import { ApplicationConfig, ModulesContainer, NestFactory, RouterModule } from '@nestjs/core';
import { AppRoutes } from './app-routes.js';

@Controller('health')
class Health {
  @Get()
  all(): string {
    return 'all';
  }

  @Post('written')
  write(): string {
    return 'written';
  }

  @Get(['live', 'alive/'])
  live(): string {
    return 'live';
  }

  @All('any')
  any(): string {
    return 'any';
  }

  @Get('second')
  @Version('2')
  second(): string {
    return 'second';
  }

  @Get('neutral')
  @Version([VERSION_NEUTRAL, '3'])
  neutral(): string {
    return 'neutral';
  }

  helper(): string {
    return 'no route';
  }
}

@Controller({ path: 'admin', host: 'admin.example' })
class OfOneHost {
  @Get()
  get(): string {
    return 'admin';
  }
}

@Controller({ path: ['one', 'two'], version: '2' })
class Versioned {
  @Get('x')
  get(): string {
    return 'x';
  }
}

@Module({ controllers: [Health, Versioned] })
class Routed {}

@Module({
  imports: [Routed, RouterModule.register([{ path: 'shop', module: Routed }])],
  controllers: [Health, OfOneHost, Versioned],
})
class App {}

describe('AppRoutes', () => {
  let app: INestApplication | undefined;
  const start = async (configure: (app: INestApplication) => void = () => undefined): Promise<AppRoutes> => {
    app = await NestFactory.create(App, { logger: false });
    configure(app);
    const config = (app as unknown as { config: ApplicationConfig }).config;
    return new AppRoutes(app.get(ModulesContainer), config);
  };
  afterEach(async () => {
    await app?.close();
  });

  it('are found by their exact path, for GET requests', async () => {
    const routes = await start();
    const paths = [
      '/health',
      '/health/live',
      '/health/alive',
      '/health/any',
      '/one/x',
      '/two/x',
      '/health/second',
    ];
    expect(paths.map((path) => routes.find(path))).toEqual([
      ...[
        'Health.all',
        'Health.live',
        'Health.live',
        'Health.any',
        'Versioned.get',
        'Versioned.get',
        'Health.second',
      ],
    ]);
    for (const path of ['/', '/health/', '/health/written', '/health/helper', '/healthy', '/admin', '/live'])
      expect([path, routes.find(path)]).toEqual([path, undefined]);
  });

  it('of a module with a path are below it', async () => {
    const routes = await start();
    expect(routes.find('/shop/health')).toBe('Health.all');
    expect(routes.find('/shop/two/x')).toBe('Versioned.get');
  });

  it('are below the prefix of the app, except those that are excluded', async () => {
    const routes = await start((each) => each.setGlobalPrefix('api', { exclude: ['health/live'] }));
    expect(['/api/health', '/health/live'].map((path) => routes.find(path))).toEqual([
      'Health.all',
      'Health.live',
    ]);
    expect(['/health', '/api/health/live'].map((path) => routes.find(path))).toEqual([undefined, undefined]);
  });

  it('that have a version do not answer a request without one', async () => {
    const routes = await start((each) => each.enableVersioning({ type: VersioningType.HEADER, header: 'v' }));
    expect(['/health', '/health/neutral'].map((path) => routes.find(path))).toEqual([
      'Health.all',
      'Health.neutral',
    ]);
    expect(['/health/second', '/one/x'].map((path) => routes.find(path))).toEqual([undefined, undefined]);
    await app?.close();
    const all = await start((each) =>
      each.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' }),
    );
    expect(['/health', '/health/neutral'].map((path) => all.find(path))).toEqual([
      undefined,
      'Health.neutral',
    ]);
  });
});
