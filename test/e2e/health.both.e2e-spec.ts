import { networkInterfaces } from 'node:os';
import { Controller, Get, Injectable, Module, VersioningType } from '@nestjs/common';
import { RouterModule } from '@nestjs/core';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  ConsulModule,
  HealthContributor,
  type HealthOptions,
  RegistrationService,
  RegistryHealthIndicator,
  ServiceHealthIndicator,
} from '@rookery/consul';
import { eventually, startTestConsul, type TestConsul } from '@rookery/test-support';
import { createApp, PLATFORMS, rootModule, startApp, type Platform, type TestApp } from './test-app.js';

let asked = 0;
let answer: () => Promise<void>;

@Injectable()
class Contributors {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly registry: RegistryHealthIndicator,
    private readonly services: ServiceHealthIndicator,
  ) {}

  @HealthContributor()
  async database(): Promise<HealthIndicatorResult> {
    asked++;
    await answer();
    return this.indicators.check('database').up();
  }

  @HealthContributor({ groups: ['deep'], timeout: '50ms' })
  async warehouse(): Promise<HealthIndicatorResult> {
    await new Promise(() => undefined);
    return this.indicators.check('warehouse').up();
  }

  @HealthContributor({ groups: ['registry'] })
  consul(): Promise<HealthIndicatorResult> {
    return this.registry.isHealthy();
  }

  @HealthContributor({ groups: ['peers'] })
  peers(): Promise<HealthIndicatorResult> {
    return this.services.isAvailable('healthy', { atLeast: 1 });
  }

  @HealthContributor({ groups: ['wanted-peers'] })
  wantedPeers(): Promise<HealthIndicatorResult> {
    return this.services.isAvailable('absent', { atLeast: 2, otherwise: 'degraded', key: 'enough' });
  }
}

describe.each(PLATFORMS)('health on %s', (platform: Platform) => {
  let consul: TestConsul;
  beforeAll(async () => {
    consul = await startTestConsul();
  });
  afterAll(() => consul.stop());
  beforeEach(() => {
    asked = 0;
    answer = async () => undefined;
  });
  const start = (health: HealthOptions = {}): Promise<TestApp> =>
    startApp(
      rootModule(
        [ConsulModule.forRoot({ agent: { url: consul.url }, service: { name: 'healthy' }, health })],
        {
          providers: [Contributors],
        },
      ),
      { platform, host: '0.0.0.0' }, // Fastify listens on loopback only, unless configured otherwise
    );
  const get = async (
    url: string,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; body: unknown }> => {
    const response = await fetch(url, { headers });
    return { status: response.status, body: await response.json() };
  };

  it('runs the checks once for concurrent requests, and caches the result for a second', async () => {
    const { app, url } = await start();
    await app.get(RegistrationService).whenRegistered();
    /**
     * How many checks ran for 21 requests; undefined when the machine was too busy to send them within a second. One more where the agent
     * checked the app meanwhile.
     */
    const round = async (): Promise<number | undefined> => {
      await new Promise((resolve) => setTimeout(resolve, 1_100));
      asked = 0;
      const began = performance.now();
      let release: () => void = () => undefined;
      answer = () => new Promise((resolve) => (release = resolve));
      const probes = Array.from({ length: 20 }, () => get(`${url}/health/ready`));
      await eventually(() => asked === 1);
      answer = () => Promise.resolve();
      release();
      for (const { status } of await Promise.all(probes)) expect(status).toBe(200);
      await get(`${url}/health/ready`);
      return performance.now() - began < 900 ? asked : undefined;
    };
    expect(await eventually(async () => (await round()) === 1, { within: 30_000 })).toBe(true);
    await app.close();
  });

  it('has a path for each custom group, which counts nowhere else', async () => {
    const { app, url } = await start();
    const deep = await get(`${url}/health/deep`);
    expect(deep).toMatchObject({
      status: 503,
      body: { details: { 'Contributors.warehouse': { status: 'down', message: 'no result in 50 ms' } } },
    });
    expect((await get(`${url}/health`)).status).toBe(200);
    expect((await get(`${url}/health/nonsense`)).status).toBe(404);
    await app.close();
  });

  it('reports the registry: degraded while it is unreachable, never down', async () => {
    const { app, url } = await start({ cache: 0 });
    await app.get(RegistrationService).whenRegistered();
    await get(`${url}/health/peers`); // from now on there is a list that can become stale
    const well = { leader: true, registration: 'registered' };
    expect(await get(`${url}/health/registry`)).toMatchObject({
      status: 200,
      body: { status: 'ok', details: { registry: { status: 'up', ...well } } },
    });
    await consul.kill();
    const away = await eventually(async () => {
      const { status, body } = await get(`${url}/health/registry`);
      const { registry } = (body as { details: { registry: Record<string, unknown> } }).details;
      return (
        typeof registry.oldestListMs === 'number' &&
        registry.registration === 'unconfirmed' && { status, registry }
      );
    });
    expect(away.status).toBe(200);
    expect(away.registry).toMatchObject({ status: 'degraded', leader: false });
    expect((await get(`${url}/health/ready`)).status).toBe(200);
    await consul.restart();
    await eventually(
      async () => ((await get(`${url}/health/registry`)).body as { status: string }).status === 'ok',
    );
    await app.close();
  });

  it('reports whether another service has enough instances', async () => {
    const { app, url } = await start();
    await app.get(RegistrationService).whenRegistered();
    await eventually(async () => (await get(`${url}/health/peers`)).status === 200);
    expect(await get(`${url}/health/wanted-peers`)).toMatchObject({
      status: 200,
      body: {
        details: {
          enough: { status: 'degraded', instances: 0, message: '0 usable instances, at least 2 required' },
        },
      },
    });
    await app.close();
  });

  it('shows details according to the exposure', async () => {
    const proxied = { 'X-Forwarded-For': '203.0.113.7' };
    // A machine without a network has no such address.
    const [outside = 'none'] = Object.values(networkInterfaces()).flatMap((found = []) =>
      found.flatMap(({ internal, family, address }) => (!internal && family === 'IPv4' ? [address] : [])),
    );
    const hasDetails = async (url: string, headers = {}): Promise<boolean> =>
      'details' in ((await get(`${url}/health`, headers)).body as object);
    const usual = await start();
    expect(await hasDetails(usual.url)).toBe(true);
    expect(await hasDetails(usual.url, proxied)).toBe(false);
    const hasDetailsOutside = outside !== 'none' && (await hasDetails(`http://${outside}:${usual.port}`));
    expect(hasDetailsOutside).toBe(false);
    await usual.app.close();
    const hidden = await start({ exposure: 'none' });
    expect(await hasDetails(hidden.url)).toBe(false);
    await hidden.app.close();
    const visible = await start({ exposure: 'public' });
    expect(await hasDetails(visible.url, proxied)).toBe(true);
    await visible.app.close();
  });

  it.each(['health', ''])(
    'F49 the app has GET /health itself (@Controller(%p)): its route is used, and one message says so',
    async (base) => {
      @Controller(base)
      class OwnHealthController {
        @Get(base === '' ? 'health' : '')
        check() {
          return { own: true };
        }
      }
      const { app, url, logger } = await startApp(
        rootModule([ConsulModule.forRoot({ agent: { url: consul.url }, service: { name: 'own-health' } })], {
          controllers: [OwnHealthController],
        }),
        { platform },
      );
      expect(await get(`${url}/health`)).toEqual({ status: 200, body: { own: true } });
      expect((await get(`${url}/health/ready`)).status).toBe(200);
      expect(
        logger.matching(/^warn GET \/health is a route of the app, OwnHealthController\.check/),
      ).toHaveLength(1);
      await app.close();
    },
  );

  it('F49 a route of RouterModule, or of one host, is another one as well', async () => {
    @Controller('health')
    class RoutedController {
      @Get()
      check() {
        return { own: true };
      }
    }
    @Controller({ path: 'health', host: 'books.example' })
    class HostController {
      @Get()
      check() {
        return { own: true };
      }
    }
    @Module({ controllers: [RoutedController] })
    class RoutedModule {}
    const { app, url, logger } = await startApp(
      rootModule(
        [
          ConsulModule.forRoot({ agent: { url: consul.url }, service: { name: 'routed' } }),
          RoutedModule,
          RouterModule.register([{ path: 'api', module: RoutedModule }]),
        ],
        // Fastify has no routes by host beside others of the same path.
        platform === 'express' ? { controllers: [HostController] } : {},
      ),
      { platform },
    );
    expect((await get(`${url}/health`)).body).toMatchObject({ status: 'ok' });
    expect((await get(`${url}/api/health`)).body).toEqual({ own: true });
    expect(logger.matching(/is a route of the app/)).toEqual([]);
    await app.close();
  });

  it('F49 a route with a prefix or a version is another one, and hides nothing', async () => {
    @Controller({ path: 'health', version: '1' })
    class VersionedController {
      @Get()
      check() {
        return { own: true };
      }
    }
    const { app, logger } = await createApp(
      rootModule([ConsulModule.forRoot({ agent: { url: consul.url }, service: { name: 'versioned' } })], {
        controllers: [VersionedController],
      }),
      platform,
    );
    app.enableVersioning({ type: VersioningType.URI });
    app.setGlobalPrefix('api');
    await app.listen(0);
    const { port } = (app.getHttpServer() as { address(): { port: number } }).address();
    expect((await get(`http://127.0.0.1:${port}/health`)).body).toMatchObject({ status: 'ok' });
    expect((await get(`http://127.0.0.1:${port}/api/v1/health`)).body).toEqual({ own: true });
    expect(logger.matching(/is a route of the app/)).toEqual([]);
    await app.close();
  });

  it('is degraded by its own load, where limits are set', async () => {
    const { app, url } = await start({ cache: 0, degradedAbove: { heapUsed: 0.000_01, eventLoopLag: '1h' } });
    const { status, body } = await get(`${url}/health/ready`);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      status: 'degraded',
      details: {
        load: { status: 'degraded', message: expect.stringMatching(/% of the heap in use/) as unknown },
      },
    });
    const byConsul = await get(`${url}/health`, { 'User-Agent': 'Consul Health Check' });
    expect(byConsul.status).toBe(429);
    await app.close();
  });
});
