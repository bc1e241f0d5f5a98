import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { Inject, Injectable, Scope, type OnModuleInit } from '@nestjs/common';
import { ConfigService, type ConfigFactory, type ConfigType } from '@nestjs/config';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ConsulClient, ConsulModule, RegistrationService } from '@rookery/consul';
import {
  ConfigValue,
  ConsulConfig,
  consulConfig,
  OnConfigChange,
  type ConsulConfigOptions,
} from '@rookery/consul/config';
import { eventually, freePorts, startTestConsul, thrownBy, type TestConsul } from '@rookery/test-support';
import { IsInt, IsString, Min, ValidateNested } from 'class-validator';
import { Type } from 'class-transformer';
import { z } from 'zod';
import { configModule, startConfigApp, type ConfigApp } from './config-app.js';
import { FaultProxy } from '../faults/fault-proxy.js';
import { createApp, rootModule, startApp } from './test-app.js';

describe('live configuration', () => {
  let consul: TestConsul;
  let client: ConsulClient;
  const apps: ConfigApp[] = [];

  const start = async (
    load: readonly ConfigFactory[],
    providers: Parameters<typeof startConfigApp>[2] = [],
  ) => {
    const app = await startConfigApp(consul.url, load, providers);
    apps.push(app);
    return app;
  };
  const load = (options: ConsulConfigOptions = {}) =>
    consulConfig({ agent: { url: consul.url }, name: 'inventory', debounce: '50ms', ...options });
  const put = async (keys: Record<string, string>): Promise<void> => {
    for (const [key, value] of Object.entries(keys)) await client.kv.put(`config/${key}`, value);
  };

  beforeAll(async () => {
    consul = await startTestConsul();
    client = ConsulClient.create({ url: consul.url });
  });
  beforeEach(() => client.kv.deleteTree('config/'));
  afterEach(async () => {
    for (const { app } of apps.splice(0)) await app.close();
  });
  afterAll(async () => {
    await client.close();
    await consul.stop();
  });

  describe('in ConfigService', () => {
    it('has the values at the top, and follows every change, new and deleted names included', async () => {
      await put({
        'application/limits/rate': '100',
        'application/title': 'shared',
        'inventory/title': 'own',
      });
      const { config } = await start([load({ defaults: { limits: { burst: 5 }, region: 'eu' } })]);
      expect(config.get('limits')).toEqual({ rate: 100, burst: 5 });
      expect(config.get('title')).toBe('own');
      expect(config.get('region')).toBe('eu');
      await put({ 'inventory/limits/rate': '200', 'inventory/fresh': 'true' });
      await eventually(() => config.get('fresh') === true && config.get('limits.rate') === 200);
      await client.kv.delete('config/inventory/fresh');
      await client.kv.delete('config/inventory/title');
      await eventually(() => config.get('fresh') === undefined && config.get('title') === 'shared');
      expect(Object.keys(process.env).filter((name) => /fresh|limits/.test(name))).toEqual([]);
    });

    it('has them below a name, and injects them typed', async () => {
      await put({ 'inventory/limits/rate': '100' });
      const settings = consulConfig({
        agent: { url: consul.url },
        name: 'inventory',
        registerAs: 'shop',
        debounce: '50ms',
        schema: z.object({ limits: z.object({ rate: z.number() }), name: z.string().default('unnamed') }),
      });
      @Injectable()
      class Reader {
        @ConfigValue('shop.limits.rate') readonly rate: number = 0;
        constructor(@Inject(settings.KEY) readonly values: ConfigType<typeof settings>) {}
        double(): number {
          return this.values.limits.rate * 2;
        }
      }
      const { app, config, live } = await start([settings], [Reader]);
      const reader = app.get(Reader);
      expect(config.get('shop')).toEqual({ limits: { rate: 100 }, name: 'unnamed' });
      expect(config.get('limits')).toBeUndefined();
      expect([reader.double(), reader.rate]).toEqual([200, 100]);
      await put({ 'inventory/limits/rate': '7' });
      await eventually(() => reader.double() === 14);
      expect([reader.rate, config.get('shop.limits.rate'), live.get('shop.limits.rate')]).toEqual([7, 7, 7]);
      expect(live.explain('shop.limits.rate').origins).toEqual([
        { path: 'shop.limits.rate', value: 7, key: 'config/inventory/limits/rate', overrides: [] },
      ]);
    });

    it('leaves a name to a loader that comes later, and to the values that it had before', async () => {
      await put({ 'inventory/a': '1', 'inventory/b': '1' });
      const { config } = await start([
        () => ({ b: 'earlier', c: 'earlier' }),
        load(),
        () => ({ a: 'later' }),
      ]);
      expect([config.get('a'), config.get('b'), config.get('c')]).toEqual(['later', 1, 'earlier']);
      await put({ 'inventory/a': '2', 'inventory/b': '2' });
      await eventually(() => config.get('b') === 2);
      expect([config.get('a'), config.get('c')]).toEqual(['later', 'earlier']);
    });

    it('configures other modules, whose copies of the values are released once', async () => {
      await put({ 'inventory/name': 'from-consul' });
      const settings = consulConfig({
        agent: { url: consul.url },
        name: 'inventory',
        registerAs: 'shop',
        debounce: '50ms',
      });
      const alias = (provide: string) => ({
        provide,
        useFactory: (values: object) => values,
        inject: [settings.KEY],
      });
      const first = await start([settings], [alias('A'), alias('B')]);
      const second = await start([settings]);
      expect(first.app.get('A')).toBe(first.app.get(settings.KEY));
      await first.app.close();
      await put({ 'inventory/name': 'changed' });
      await eventually(() => second.config.get('shop.name') === 'changed');
      const module = rootModule([
        configModule([settings]),
        ConsulModule.forRootAsync({
          ...(settings as unknown as { asProvider(): { imports: []; inject: [] } }).asProvider(),
          useFactory: (values: { name: string }) => ({
            agent: { url: consul.url },
            service: { name: values.name },
          }),
        }),
      ]);
      const app = await startApp(module);
      await app.app.get(RegistrationService).whenRegistered();
      expect(((await consul.request('GET', '/v1/health/service/changed')).body as unknown[]).length).toBe(1);
      await app.app.close();
    });

    it('an app that does not start keeps no request open', async () => {
      const proxy = await FaultProxy.start(consul.url);
      await put({ 'inventory/a': '1' });
      const Broken = { provide: 'BROKEN', useFactory: () => Promise.reject(new Error('no database')) };
      const settings = load({ agent: { url: proxy.url } });
      const modules = [configModule([settings]), ConsulModule.forRoot({ agent: { url: consul.url } })];
      const error = await thrownBy(createApp(rootModule(modules, { providers: [Broken] })));
      expect(error.message).toBe('no database');
      // What was under way at that moment ends, and no request that waits for a change follows it.
      await eventually(() => proxy.underWay('/v1/kv/config/inventory/') === 0);
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(proxy.requests.filter(({ what }) => what.includes('index='))).toEqual([]);
      expect(proxy.underWay('/v1/kv/config/inventory/')).toBe(0);
      await proxy.stop();
    });

    it('takes only defaults that the schema takes, as the compiler sees it', () => {
      const schema = z.object({
        limits: z.object({ rate: z.number(), burst: z.number() }),
        at: z.coerce.date().optional(),
      });
      const right = consulConfig({ schema, defaults: { limits: { rate: 5 } } });
      // @ts-expect-error -- a text is no rate
      const wrong = consulConfig({ schema, defaults: { limits: { rate: 'fast' } } });
      // @ts-expect-error -- there is no such name
      const unknown = consulConfig({ schema, defaults: { limts: {} } });
      expect([right, wrong, unknown].map((settings) => typeof settings.KEY)).toEqual(Array(3).fill('string'));
    });

    it('works without ConsulModule, before any module is up', async () => {
      await put({ 'inventory/limits/rate': '100' });
      const { app } = await createApp(rootModule([configModule([load()])]));
      const config = app.get(ConfigService);
      expect(config.get('limits.rate')).toBe(100);
      await app.close();
    });
  });

  it('loads every format and profile in the documented order, logs it once, and explains each value', async () => {
    await put({
      'application.yml': 'limits:\n  rate: 1\n  burst: 1\nname: all',
      'application-prod.yaml': 'limits.rate: 2',
      'inventory.json': '{"limits": {"burst": 3}}',
      'inventory-prod.properties': 'limits.rate=4\nurl=http://${host:localhost}/${name}',
      'inventory-prod.yal': 'limits: 5',
    });
    const { config, live, logger } = await start([load({ format: 'files', profiles: ['prod'] })]);
    expect(config.get('limits')).toEqual({ rate: 4, burst: 3 });
    expect(config.get('url')).toBe('http://localhost/all');
    expect(live.explain('limits').origins).toEqual([
      {
        path: 'limits.rate',
        value: 4,
        key: 'config/inventory-prod.properties',
        overrides: [
          { key: 'config/application-prod.yaml', value: 2 },
          { key: 'config/application.yml', value: 1 },
        ],
      },
      {
        path: 'limits.burst',
        value: 3,
        key: 'config/inventory.json',
        overrides: [{ key: 'config/application.yml', value: 1 }],
      },
    ]);
    expect(logger.matching(/later ones override earlier ones/)).toEqual([
      'log configuration, keys of each tree, later ones override earlier ones: config/application. (1), config/application-prod. (1), ' +
        'config/inventory. (1), config/inventory-prod. (2) LiveConfig',
    ]);
    expect(logger.matching(/ignored/)).toEqual([
      'warn ignored: config/inventory-prod.yal; known extensions: yml, yaml, json, properties LiveConfig',
    ]);
    await put({ 'inventory-prod.properties': 'limits.rate=9' });
    await eventually(() => config.get('limits.rate') === 9 && config.get('url') === undefined);
  });

  it.each(['json', 'yaml', 'properties'] as const)(
    'reads a document of the format %s in one key',
    async (format) => {
      const text = {
        json: '{"limits":{"rate":5}}',
        yaml: 'limits:\n  rate: 5\n',
        properties: 'limits.rate=5',
      }[format];
      await put({ 'inventory/settings': text });
      const { config } = await start([load({ format, dataKey: 'settings' })]);
      expect(config.get('limits.rate')).toBe(5);
    },
  );

  describe('decorators and watches', () => {
    it('sets properties before onModuleInit, then with each change, and calls methods after that', async () => {
      @Injectable()
      class Base {
        @ConfigValue('limits.rate') readonly rate: number = 7;
      }
      @Injectable()
      class Limiter extends Base implements OnModuleInit {
        @ConfigValue('limits.burst') readonly burst: number = 9;
        atInit: unknown;
        readonly calls: unknown[] = [];
        onModuleInit(): void {
          this.atInit = this.rate;
        }
        @OnConfigChange('limits')
        resize(limits: unknown): void {
          this.calls.push([limits, this.rate]);
        }
      }
      @Injectable({ scope: Scope.REQUEST })
      class PerRequest {
        @ConfigValue('limits.rate') readonly rate: number = 7;
      }
      await put({ 'inventory/limits/rate': '100' });
      const { app, logger, live } = await start([load()], [Limiter, PerRequest]);
      const limiter = app.get(Limiter);
      expect([limiter.atInit, limiter.rate, limiter.burst]).toEqual([100, 100, 9]);
      expect(logger.matching(/PerRequest gets no configuration: it is request-scoped/)).toHaveLength(1);
      const seen: unknown[] = [];
      live.watch('limits.rate').subscribe((rate) => seen.push(rate));
      await put({ 'inventory/limits/rate': '200' });
      await eventually(() => limiter.calls.length === 1);
      await put({ 'inventory/other': '1' });
      await eventually(() => live.get('other') === 1);
      await client.kv.delete('config/inventory/limits/rate');
      await eventually(() => limiter.calls.length === 2);
      expect(limiter.calls).toEqual([
        [{ rate: 200 }, 200],
        [undefined, 7],
      ]);
      expect(seen).toEqual([100, 200, undefined]);
    });

    it('warns where a decorator can do nothing, or follows a path that is almost another', async () => {
      @Injectable()
      class Misspelt {
        @ConfigValue('limits.rte') readonly rate: number = 7;
        @OnConfigChange('limts')
        changed(): void {
          throw new Error('never');
        }
        @ConfigValue('quite.another') readonly other: number = 7;
      }
      await put({ 'inventory/limits/rate': '100', 'inventory/limits/brst': '1' });
      const schema = z.object({ limits: z.object({ rate: z.number(), burst: z.number().default(1) }) });
      const { logger } = await start([load({ schema })], [Misspelt]);
      expect(logger.matching(/has no value|is not used/)).toEqual([
        'warn config/inventory/limits/brst is not used, since the schema has no such name; there is limits.burst LiveConfig',
        'warn Misspelt.rate follows "limits.rte", which has no value; there is limits.rate LiveConfig',
        'warn Misspelt.changed follows "limts", which has no value; there is limits LiveConfig',
      ]);
      const without = await startApp(rootModule([configModule([load()])], { providers: [Misspelt] }));
      expect(
        without.logger.matching(
          /Misspelt.*@ConfigValue and @OnConfigChange do nothing, since ConsulModule is not imported/,
        ),
      ).toHaveLength(1);
      await without.app.close();
    });

    it('sets the properties of transient providers, each instance its own', async () => {
      @Injectable({ scope: Scope.TRANSIENT })
      class Counter {
        @ConfigValue('a') readonly limit: number = 0;
      }
      @Injectable()
      class First {
        constructor(readonly counter: Counter) {}
      }
      @Injectable()
      class Second {
        constructor(readonly counter: Counter) {}
      }
      await put({ 'inventory/a': '1' });
      const { app } = await start([load()], [Counter, First, Second]);
      const counters = [app.get(First).counter, app.get(Second).counter];
      expect(counters[0]).not.toBe(counters[1]);
      expect(counters.map(({ limit }) => limit)).toEqual([1, 1]);
      await put({ 'inventory/a': '2' });
      await eventually(() => counters.every(({ limit }) => limit === 2));
    });

    it('calls an overridden method once, and gives a redeclared property its own value', async () => {
      class Base {
        @ConfigValue('a') value: unknown = 0;
        readonly calls: unknown[] = [];
        @OnConfigChange('a')
        changed(value: unknown): void {
          this.calls.push(value);
        }
      }
      @Injectable()
      class Derived extends Base {
        @ConfigValue('b') override value: unknown = 0;
        @OnConfigChange('a')
        override changed(value: unknown): void {
          super.changed(value);
        }
      }
      await put({ 'inventory/a': '1', 'inventory/b': '2' });
      const { app, live } = await start([load()], [Derived]);
      const derived = app.get(Derived);
      await put({ 'inventory/a': '3' });
      await eventually(() => live.get('a') === 3 && derived.calls.length > 0);
      expect([derived.value, derived.calls]).toEqual([2, [3]]);
    });

    it('names what is missing, misspelt or malformed', async () => {
      const { live, app } = await start([]);
      expect(() => live.get('limits.rate')).toThrow(
        /no configuration has the path "limits.rate". Load one: ConfigModule.forRoot/,
      );
      await app.close();
      await put({ 'inventory/limits/rate': '1' });
      const started = await start([load()]);
      expect(() => started.live.getOrThrow('limits.rat')).toThrow(
        /no configuration value "limits.rat". There is limits.rate/,
      );
      expect(started.live.getOrThrow('limits.rate')).toBe(1);
      expect(() => started.live.watch('a..b')).toThrow(
        /RK_INVALID_ARGUMENT|an empty name between separators/,
      );
      expect(started.live.get()).toEqual({ limits: { rate: 1 } });
    });

    it('shows a version as a whole, and frozen', async () => {
      await put({ 'inventory/a': '0', 'inventory/b/c': '0' });
      const { live, config } = await start([load({ debounce: 0 })]);
      const torn: unknown[] = [];
      live.changes$.subscribe(() => {
        const [a, c] = [live.get('a'), live.get('b.c')];
        if (a !== c || config.get('a') !== config.get('b.c')) torn.push([a, c]);
      });
      for (let n = 1; n <= 20; n++) {
        const set = (key: string) => ({
          KV: {
            Verb: 'set' as const,
            Key: `config/inventory/${key}`,
            Value: Buffer.from(String(n)).toString('base64'),
          },
        });
        await client.txn.commit([set('a'), set('b/c')]);
      }
      await eventually(() => live.get('a') === 20);
      expect(torn).toEqual([]);
      expect(Object.isFrozen(live.get('b'))).toBe(true);
      expect(live.get('b')).toBe(config.get('b'));
    });
  });

  describe('checks', () => {
    const schema = z.object({
      limits: z.object({ rate: z.number().int().positive() }),
      mode: z.enum(['a', 'b']).default('a'),
    });

    it('an app does not start with values that the schema refuses, and all of them are named', async () => {
      await put({
        'inventory/limits/rate': 'fast',
        'inventory/mode': 'c',
        'inventory/db/password': 'hunter2',
      });
      const strict = schema.extend({
        db: z.object({
          password: z
            .string()
            .refine((p) => p.length > 10, { error: ({ input }) => `too short: ${String(input)}` }),
        }),
      });
      const error = await thrownBy(createApp(rootModule([configModule([load({ schema: strict })])])));
      expect(error.message).toMatch(
        /cannot be used: 3 values are wrong\n {2}- config\/inventory\/limits\/rate: limits\.rate = "fast": .*expected number.*\n {2}- config\/inventory\/mode: mode = "c": .*\n {2}- config\/inventory\/db\/password: db.password = \(secret\): it is not as the schema declares/,
      );
      expect(inspect(error, { depth: 9 })).not.toContain('hunter2');
    });

    it('checks with a class of class-validator, whose instance is the value', async () => {
      class Limits {
        @IsInt() @Min(1) rate = 5;
      }
      class Settings {
        @ValidateNested() @Type(() => Limits) limits = new Limits();
        @IsString() name = 'unnamed';
        hello(): string {
          return `hello ${this.name}`;
        }
      }
      await put({ 'inventory/limits/rate': '100' });
      const settings = consulConfig({
        agent: { url: consul.url },
        name: 'inventory',
        debounce: '50ms',
        schema: Settings,
      });
      const { app, config, live } = await start([settings]);
      const injected = app.get<Settings>(settings.KEY);
      expect(injected).toBeInstanceOf(Settings);
      expect(injected.hello()).toBe('hello unnamed');
      expect(config.get('limits')).toBeInstanceOf(Limits);
      expect([config.get('limits.rate'), config.get('name')]).toEqual([100, 'unnamed']);
      await put({ 'inventory/limits/rate': '0' });
      await eventually(() => live.problems.length > 0);
      expect(live.problems).toEqual([
        { key: 'config/inventory/limits/rate', reason: 'limits.rate = 0: rate must not be less than 1' },
      ]);
      expect(config.get('limits.rate')).toBe(100);
    });

    it('says how a text that looks like a number is written', async () => {
      await put({ 'inventory/title': '2001' });
      const error = await thrownBy(
        createApp(rootModule([configModule([load({ schema: z.object({ title: z.string() }) })])])),
      );
      expect(error.message).toMatch(
        /title = 2001: .*expected string.*; as a text it has to be in quotation marks: "2001"\n {2}read, keys of each tree: config\/application\/ \(0\), config\/inventory\/ \(1\)/,
      );
      await put({ 'inventory/title': '"2001"' });
      const { config } = await start([load({ schema: z.object({ title: z.string() }) })]);
      expect(config.get('title')).toBe('2001');
    });

    it.each<[ConsulConfigOptions, RegExp]>([
      [{ prefix: 'a//b' }, /prefix = "a\/\/b": must be the first part of a key/],
      [{ name: 'a/b' }, /name = "a\/b": must be a part of a key, without a slash/],
      [{ profiles: 'prod' as never }, /profiles = "prod": must be a list such as/],
      [{ format: 'toml' as never }, /format = "toml": must be 'keys', 'json'/],
      [{ paths: ['config/inventory'] }, /paths\.0 = "config\/inventory": must be the first part of keys/],
      [{ paths: ['a/'], profiles: ['x'] }, /profiles: has no effect together with paths/],
      [{ schema: {} as never }, /schema.*: must be a Standard Schema/],
      [{ secrets: ['a..b'] }, /secrets\.0 = \(not shown\): must be a path such as/],
      [{ registerAs: 'a.b' }, /registerAs = "a.b": must be one name/],
      [{ debounce: 'soon' }, /debounce = "soon": must be a duration/],
      [{ agent: { url: 'ftp://x' } }, /agent\.url/],
      [{ defualts: {} } as never, /defualts: unknown option; known here: agent, name/],
      [
        { defaults: JSON.parse('{"__proto__": {"polluted": 1}}') as object },
        /defaults: the name "__proto__" is not allowed/,
      ],
    ])('refuses the options %j', async (options, message) => {
      const error = await thrownBy(
        createApp(
          rootModule([
            configModule([
              consulConfig({
                agent: { url: consul.url },
                name: options.paths ? (undefined as never) : 'inventory',
                ...options,
              }),
            ]),
          ]),
        ),
      );
      expect((error as Error & { code?: string }).code).toBe('RK_CONFIG_INVALID');
      expect(error.message).toMatch(message);
    });

    it('refuses two configurations at one place', async () => {
      const error = await thrownBy(
        createApp(
          rootModule([configModule([load(), load()]), ConsulModule.forRoot({ agent: { url: consul.url } })]),
        ),
      );
      expect(error.message).toMatch(/two configurations are loaded without registerAs/);
    });
  });

  describe('secrets', () => {
    it('stand in no event, log, health result, explanation or error', async () => {
      const token = consul.appToken ?? 'a-token-0123456789';
      await put({
        'inventory/db/password': 'hunter2',
        'inventory/url': 'pg://u:${db.password}@h',
        'inventory/pins/a': '4711',
        'inventory/mode': 'x',
      });
      const schema = z.looseObject({
        pins: z.looseObject({ a: z.coerce.number({ error: ({ input }) => `no number: ${String(input)}` }) }),
      });
      const { live, config, logger, events, health } = await start([
        load({ schema, secrets: ['pins'], agent: { url: consul.url, token } }),
      ]);
      expect(config.get('url')).toBe('pg://u:hunter2@h');
      await put({ 'inventory/pins/a': 'letmein', 'inventory/db/password': 'hunter2x' });
      await eventually(() => live.problems.length > 0);
      const shown = inspect(
        [events, logger.lines, await health(), live.explain(), live.explain('db'), live.problems, live],
        { depth: 12, showHidden: true },
      );
      expect(shown).not.toMatch(/hunter2|letmein|4711|a-token/);
      expect(live.explain('db').value).toEqual({ password: '(secret)' });
      expect(live.explain('url').origins[0]).toMatchObject({
        value: '(secret)',
        key: 'config/inventory/url',
      });
      expect(live.problems[0]?.reason).toContain('pins.a = (secret)');
    });
  });

  describe('without Consul', () => {
    let folder: string;
    let gone: string;
    beforeEach(async () => {
      folder = mkdtempSync(join(tmpdir(), 'rookery-config-'));
      const [port] = await freePorts(1);
      gone = `http://127.0.0.1:${port}`;
    });
    afterEach(() => rmSync(folder, { recursive: true }));

    it('starts with the defaults, or names what they lack', async () => {
      const settings = load({ agent: { url: gone }, defaults: { limits: { rate: 5 } } });
      const { config, live, logger, health } = await start([settings]);
      expect(config.get('limits.rate')).toBe(5);
      expect(live.explain('limits.rate')).toMatchObject({
        state: 'defaults',
        origins: [{ key: 'defaults' }],
      });
      expect(logger.matching(/using the defaults until Consul responds/)).toHaveLength(1);
      expect((await health()).status).toBe(200);
      const schema = z.object({ limits: z.object({ rate: z.number() }) });
      const error = await thrownBy(
        createApp(rootModule([configModule([load({ agent: { url: gone }, schema })])])),
      );
      expect(error.message).toMatch(
        /Without Consul there is no usable configuration: 1 value is wrong\n {2}- limits: limits is missing/,
      );
      expect(error.message).toMatch(/Set defaults for these values, or snapshotDirectory.*ECONNREFUSED/);
    });

    it('does not start with fail-fast, and says why', async () => {
      const error = await thrownBy(
        createApp(rootModule([configModule([load({ agent: { url: gone }, startup: 'fail-fast' })])])),
      );
      expect((error as Error & { code?: string }).code).toBe('RK_REGISTRY_UNREACHABLE');
      expect(error.message).toMatch(
        /configuration: cannot read the keys below config\/application\/:.*ECONNREFUSED/,
      );
    });

    it('starts with the copy on disk, is degraded until Consul responds, and is then up to date', async () => {
      const other = await startTestConsul();
      try {
        const kv = ConsulClient.create({ url: other.url });
        await kv.kv.put('config/inventory/limits/rate', '42');
        const settings = load({ agent: { url: other.url }, snapshotDirectory: folder });
        const first = await start([settings]);
        expect(first.config.get('limits.rate')).toBe(42);
        await first.app.close();
        apps.splice(0);
        await other.kill();
        const { config, health, live, logger } = await start([settings]);
        expect(config.get('limits.rate')).toBe(42);
        expect(live.explain('limits.rate').state).toBe('disk');
        expect(logger.matching(/using the keys of .* from disk until Consul responds/)).toHaveLength(1);
        expect((await health()).configuration).toMatchObject({
          status: 'degraded',
          message: expect.stringMatching(/from disk/) as unknown,
        });
        await other.restart({ keepData: false });
        await kv.kv.put('config/inventory/limits/rate', '43');
        await eventually(() => config.get('limits.rate') === 43, { within: 60_000 });
        await eventually(async () => (await health()).configuration?.status === 'up', { within: 60_000 });
        await kv.close();
      } finally {
        await other.stop();
      }
    });
  });

  it('is shared by apps of one root module, and closed with the last of them', async () => {
    await put({ 'inventory/a': '1' });
    const settings = load();
    const first = await start([settings]);
    const second = await start([settings]);
    await first.app.close();
    await put({ 'inventory/a': '2' });
    await eventually(() => second.config.get('a') === 2);
    expect(first.config.get('a')).toBe(1);
    await second.app.close();
    apps.splice(0);
    const third = await start([settings]);
    expect(third.config.get('a')).toBe(2);
    expect(third.live).not.toBe(second.live);
    expect(third.app.get(ConsulConfig)).toBe(third.live);
  });
});
