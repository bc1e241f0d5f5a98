import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Injectable, Logger, Module, Scope, type INestApplicationContext } from '@nestjs/common';
import { DiscoveryModule, DiscoveryService, MetadataScanner, NestFactory, Reflector } from '@nestjs/core';
import { RecordingLogger } from '@rookery/test-support';
import { HealthContributor } from './health-contributor.decorator.js';
import { HealthContributors } from './health-contributors.js';

const up = (name: string) => ({ [name]: { status: 'up' as const } });

@Injectable()
class Database {
  readonly name = 'database';

  @HealthContributor({ groups: ['readiness', 'startup'], timeout: '2s' })
  ping() {
    return up(this.name);
  }

  other(): string {
    return 'no contributor';
  }
}

@Controller()
class Pages {
  @HealthContributor({ groups: ['liveness'] })
  async alive() {
    return up('pages');
  }
}

@Injectable({ scope: Scope.TRANSIENT })
class Pool {
  readonly name = 'pool';

  @HealthContributor()
  ping() {
    return up(this.name);
  }
}

@Injectable()
class Orders {
  constructor(readonly pool: Pool) {}
}

@Injectable({ scope: Scope.REQUEST })
class PerRequest {
  @HealthContributor()
  never() {
    return up('never');
  }

  plain(): void {
    // Has nothing to do with health.
  }
}

@Module({
  imports: [DiscoveryModule],
  providers: [
    Database,
    { provide: 'DATABASE', useExisting: Database },
    Pool,
    Orders,
    PerRequest,
    { provide: 'nothing', useValue: null },
    { provide: 'text', useValue: 'text' },
  ],
  controllers: [Pages],
})
class App {}

describe('HealthContributors', () => {
  let app: INestApplicationContext | undefined;
  const start = async (): Promise<HealthContributors> => {
    app = await NestFactory.createApplicationContext(App, { logger: false });
    const [providers, methods] = [app.get(DiscoveryService), new MetadataScanner()];
    return new HealthContributors(providers, methods, new Reflector());
  };
  const namesOf = (found: readonly { readonly name: string }[]): string[] => found.map(({ name }) => name);

  afterEach(async () => {
    Logger.overrideLogger(false);
    await app?.close();
    app = undefined;
  });

  it('are the methods with the decorator, by their groups, each with its provider as this', async () => {
    const contributors = await start();
    expect(namesOf(contributors.of(undefined))).toEqual(['Database.ping', 'Pool.ping', 'Pages.alive']);
    expect(namesOf(contributors.of('readiness'))).toEqual(['Database.ping', 'Pool.ping']);
    expect(namesOf(contributors.of('liveness'))).toEqual(['Pages.alive']);
    expect(namesOf(contributors.of('startup'))).toEqual(['Database.ping']);
    expect(contributors.of('unknown')).toEqual([]);
    const [database, pool, pages] = contributors.of(undefined);
    expect(database).toMatchObject({ groups: ['readiness', 'startup'], timeout: 2_000 });
    expect(pages?.timeout).toBeUndefined();
    expect(database?.run()).toEqual(up('database'));
    expect(pool?.run()).toEqual(up('pool'));
    expect(await pages?.run()).toEqual(up('pages'));
    expect(contributors.customGroups()).toEqual(['startup']);
  });

  it('can be added to, also after the first question', async () => {
    const contributors = await start();
    expect(contributors.customGroups()).toEqual(['startup']);
    contributors.add({
      name: 'added',
      groups: ['liveness', 'nightly'],
      timeout: undefined,
      run: () => up('added'),
    });
    expect(contributors.customGroups()).toEqual(['startup', 'nightly']);
    expect(namesOf(contributors.of('liveness'))).toEqual(['Pages.alive', 'added']);
  });

  it('names one of a request-scoped provider, once, and the cure', async () => {
    const contributors = await start();
    const logger = new RecordingLogger();
    Logger.overrideLogger(logger);
    contributors.of('readiness');
    contributors.of('readiness');
    expect(logger.lines).toHaveLength(1);
    expect(logger.lines[0]).toContain(
      'PerRequest.never does not contribute to health: its provider is request-scoped. Move it to a singleton',
    );
  });
});

describe('@HealthContributor', () => {
  it('is for readiness, unless it says more', async () => {
    class Plain {
      @HealthContributor()
      check() {
        return up('plain');
      }
    }
    const check = Object.getOwnPropertyDescriptor(Plain.prototype, 'check')?.value as object;
    expect(Reflect.getMetadata('rookery:health-contributor', check)).toEqual({
      groups: ['readiness'],
      timeout: undefined,
    });
    expect(() =>
      HealthContributor({ groups: ['liveness', 'readiness', 'startup-2'], timeout: 1 }),
    ).not.toThrow();
  });

  it.each([
    [{ groups: [] }, 'groups: must have at least one group'],
    [
      { groups: ['live'] },
      `groups = "live": must be 'liveness' or 'readiness', or a custom name of lower-case letters`,
    ],
    [{ groups: ['ready'] }, "that does not begin with 'live' or 'read'"],
    [{ groups: ['Startup'] }, 'groups = "Startup"'],
    [{ groups: ['1st'] }, 'groups = "1st"'],
    [{ groups: ['a/b'] }, 'groups = "a/b"'],
    [{ timeout: 'soon' }, 'timeout = "soon"'],
    [{ timeout: 0 }, 'timeout = 0'],
  ])('names what is wrong: %j', (options, message) => {
    expect(() => HealthContributor(options)).toThrow(message);
    expect(() => HealthContributor(options)).toThrow('@HealthContributor');
  });
});
