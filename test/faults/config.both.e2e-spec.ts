import { randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import { Injectable } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ConsulClient } from '@rookery/consul';
import { ConfigValue, consulConfig, OnConfigChange, type ConsulConfigOptions } from '@rookery/consul/config';
import { eventually, figure, median, startTestConsul, type TestConsul } from '@rookery/test-support';
import { z } from 'zod';
import { startConfigApp, type ConfigApp } from '../e2e/config-app.js';
import { FaultProxy } from './fault-proxy.js';

/** Longer than the debounce of a single edit. */
const QUIET_MS = 700;

const quiet = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, QUIET_MS));

describe('live configuration under faults', () => {
  let consul: TestConsul;
  let client: ConsulClient;
  const apps: ConfigApp[] = [];

  const start = async (
    options: ConsulConfigOptions = {},
    providers: Parameters<typeof startConfigApp>[2] = [],
  ) => {
    const settings = consulConfig({ agent: { url: consul.url }, name: 'inventory', ...options });
    const app = await startConfigApp(consul.url, [settings], providers);
    apps.push(app);
    return app;
  };
  const put = async (keys: Record<string, string>): Promise<void> => {
    for (const [key, value] of Object.entries(keys)) await client.kv.put(`config/${key}`, value);
  };
  const changes = ({ events }: ConfigApp) =>
    events.flatMap((event) => (event.type === 'config.changed' ? [event.paths] : []));

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

  it('F24 each creation, change, deletion and re-creation is seen once, and the deletion of a whole tree too', async () => {
    await put({ 'application/a': '1', 'inventory/b': '1' });
    const app = await start();
    const { config } = app;
    const seen: number[] = [];
    const step = async (
      work: () => Promise<unknown>,
      holds: () => boolean,
      paths: readonly string[],
    ): Promise<void> => {
      app.events.length = 0;
      const from = performance.now();
      await work();
      await eventually(holds, { every: 2 });
      seen.push(performance.now() - from);
      await quiet();
      // Each path once; those of a slow machine may come in two versions.
      expect(changes(app).flat().sort()).toEqual(paths);
    };
    await step(
      () => put({ 'inventory/c': 'new' }),
      () => config.get('c') === 'new',
      ['c'],
    );
    await step(
      () => put({ 'inventory/c': 'changed' }),
      () => config.get('c') === 'changed',
      ['c'],
    );
    await step(
      () => client.kv.delete('config/inventory/c'),
      () => config.get('c') === undefined,
      ['c'],
    );
    await step(
      () => put({ 'inventory/c': 'again' }),
      () => config.get('c') === 'again',
      ['c'],
    );
    await step(
      () => Promise.all([put({ 'application/a': '2' }), put({ 'inventory/b': '2' })]),
      () => config.get('a') === 2 && config.get('b') === 2,
      ['a', 'b'],
    );
    await step(
      () => client.kv.deleteTree('config/inventory/'),
      () => config.get('b') === undefined,
      ['b', 'c'],
    );
    await step(
      () => put({ 'inventory/b': '3' }),
      () => config.get('b') === 3,
      ['b'],
    );
    // The same value again, an unrelated key, and a key whose name begins with that of the tree.
    app.events.length = 0;
    await put({ 'inventory/b': '3', 'inventory2/x': '1', 'other/x': '1' });
    await quiet();
    expect(app.events).toEqual([]);
    figure(
      'F24',
      `an edit is seen after ${Math.round(median(seen))} ms (median of ${seen.length}, 250 ms of them debounce)`,
    );
  });

  it('F24 a quick series of edits is one change, and one without end is seen meanwhile', async () => {
    await put({ 'inventory/n': '0' });
    const app = await start();
    for (let n = 1; n <= 10; n++) await put({ 'inventory/n': String(n) });
    await eventually(() => app.config.get('n') === 10);
    await quiet();
    // On a slow machine the series may take longer than a version waits.
    expect(changes(app).length).toBeLessThanOrEqual(2);
    const enough = new AbortController();
    const editing = (async () => {
      for (let n = 11; !enough.signal.aborted; n++) {
        await put({ 'inventory/n': String(n) });
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })();
    await eventually(() => changes(app).length >= 5);
    enough.abort();
    await editing;
  });

  it('F25 a broken edit keeps the last good values, is reported once, degrades health, and recovers', async () => {
    const schema = z.object({ limits: z.object({ rate: z.number() }), extra: z.number().optional() });
    await put({ 'application.yml': 'limits:\n  rate: 100', 'inventory.yml': 'extra: 1' });
    const app = await start({ format: 'files', schema });
    const { config, live, events, health, logger } = app;
    const broken = async (
      key: string,
      value: string,
      problem: { key: string; reason: unknown },
    ): Promise<void> => {
      events.length = 0;
      await client.kv.put(key, value);
      await eventually(() => live.problems.length > 0);
      expect(live.problems).toEqual([problem]);
      expect(events.filter(({ type }) => type === 'config.invalid')).toMatchObject([problem]);
      expect(config.get('limits.rate')).toBe(100);
      const shown = await eventually(async () => {
        const { configuration } = await health();
        return configuration?.status === 'degraded' && configuration;
      });
      expect(shown.message).toContain(`${problem.key}: `);
    };
    await broken('config/application.yml', 'limits:\n  rate: [1', {
      key: 'config/application.yml',
      reason: expect.stringMatching(/^not valid YAML at line \d/),
    });
    // The other file is not affected.
    await client.kv.put('config/inventory.yml', 'extra: 2');
    await eventually(() => config.get('extra') === 2);
    await client.kv.put('config/application.yml', 'limits:\n  rate: 100 # mended');
    await eventually(() => live.problems.length === 0);
    expect(events.filter(({ type }) => type === 'config.valid')).toMatchObject([
      { key: 'config/application.yml' },
    ]);
    await broken('config/application.yml', 'limits:\n  rate: fast', {
      key: 'config/application.yml',
      reason: expect.stringMatching(/^limits\.rate = "fast": .*expected number/),
    });
    await client.kv.put('config/application.yml', 'limits:\n  rate: 101');
    await eventually(() => config.get('limits.rate') === 101);
    await eventually(async () => (await health()).configuration?.status === 'up');
    expect(logger.matching(/^error config\/application\.yml cannot be used/)).toHaveLength(2);
    expect(logger.matching(/^log config\/application\.yml is no longer wrong/)).toHaveLength(2);
  });

  it.each<[string, string, string | Buffer, RegExp]>([
    ['a prototype', 'inventory/__proto__/polluted', 'yes', /"__proto__" is not allowed/],
    [
      'a prototype in a value',
      'inventory/x',
      '{"__proto__":{"polluted":"yes"}}',
      /"__proto__" is not allowed/,
    ],
    ['a cycle of references', 'inventory/a', '${a}', /a: refers to itself: a → a/],
    ['a reference to nothing', 'inventory/a', '${none}', /refers to no value/],
    ['a value and a part of it', 'inventory/limits', '5', /"limits.*config\/inventory\/limits/],
    ['bytes', 'inventory/a', Buffer.from([0xff, 0x00]), /is not text in UTF-8/],
    ['a list with a gap', 'inventory/l[5]', 'x', /none at position 0/],
  ])('F25 %s is one clear error, and nothing is applied by half', async (_, key, value, reason) => {
    await put({ 'inventory/limits/rate': '1', 'inventory/a': 'first' });
    const app = await start();
    const set = (name: string, bytes: string | Buffer) => ({
      KV: {
        Verb: 'set' as const,
        Key: `config/${name}`,
        Value: Buffer.from(bytes as string).toString('base64'),
      },
    });
    await client.txn.commit([set('inventory/limits/rate', '2'), set(key, value)]);
    await eventually(() => app.live.problems.length > 0);
    expect(app.live.problems).toHaveLength(1);
    expect(app.live.problems[0]?.reason).toMatch(reason);
    expect(app.live.get()).toEqual({ limits: { rate: 1 }, a: 'first' });
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    await client.kv.delete(`config/${key}`);
    await eventually(() => app.live.problems.length === 0);
  });

  it('F26 a handler that throws affects neither the value, nor the others, nor its own next call', async () => {
    @Injectable()
    class Handlers {
      @ConfigValue('limits.rate') readonly rate: number = 0;
      readonly thrown: unknown[] = [];
      readonly rejected: unknown[] = [];
      readonly good: unknown[] = [];
      @OnConfigChange('limits.rate')
      throwing(rate: number): void {
        this.thrown.push(rate);
        throw new Error('at once');
      }
      @OnConfigChange('limits.rate')
      async rejecting(rate: number): Promise<void> {
        this.rejected.push(rate);
        await Promise.resolve();
        throw new Error('later');
      }
      @OnConfigChange('limits.rate')
      fine(rate: number): void {
        this.good.push(rate);
      }
    }
    await put({ 'inventory/limits/rate': '1' });
    const { app, live, config, logger } = await start({}, [Handlers]);
    live.watch('limits.rate').subscribe(() => {
      throw new Error('a subscriber');
    });
    live.changes$.subscribe(() => {
      throw new Error('another');
    });
    const handlers = app.get(Handlers);
    for (const rate of [2, 3]) {
      await put({ 'inventory/limits/rate': String(rate) });
      await eventually(() => handlers.good.includes(rate));
      expect([handlers.rate, config.get('limits.rate')]).toEqual([rate, rate]);
    }
    for (const calls of [handlers.thrown, handlers.rejected, handlers.good]) expect(calls).toEqual([2, 3]);
    await eventually(
      () =>
        logger.matching(/Handlers\.(throwing|rejecting), which follows "limits.rate", threw: (at once|later)/)
          .length === 4,
    );
    expect(logger.matching(/a subscriber of watch\('limits.rate'\) threw/).length).toBeGreaterThanOrEqual(2);
  });

  it('F60 a Consul that comes back empty takes no value away, and a restored tree is used as it is', async () => {
    const keys = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`inventory/k${n}`, String(n)]));
    await put({ ...keys, 'application/shared': 'yes' });
    const app = await start();
    const { live, events, health } = app;
    const before = live.get();
    await consul.kill();
    await eventually(() => live.explain().state === 'stale');
    await consul.restart({ keepData: false });
    await eventually(() => live.problems.length === 2, { within: 60_000 });
    expect(events.filter(({ type }) => type === 'config.suspect')).toMatchObject([
      { missing: expect.any(Number) },
      {},
    ]);
    expect(live.problems.map(({ reason }) => reason).join()).toMatch(
      /20 of 20 keys below config\/inventory\/ are missing, and stay in use: the tree was empty after the connection to the registry was interrupted\. Write them again, or create the key config\/inventory\//,
    );
    await eventually(async () => (await health()).configuration?.status === 'degraded');
    expect(live.get()).toBe(before);
    // Restored one by one: half of a tree is no tree.
    events.length = 0;
    await put({ 'application/shared': 'yes' });
    for (const [key, value] of Object.entries(keys)) {
      await put({ [key]: key === 'inventory/k7' ? 'seven' : value });
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    await eventually(() => live.get('k7') === 'seven' && live.problems.length === 0);
    await quiet();
    expect(changes(app)).toEqual([['k7']]);
    await eventually(async () => (await health()).configuration?.status === 'up');
  });

  it('a change is seen once, with 200 keys in 20 trees, and a quiet app asks for nothing', async () => {
    const profiles = Array.from({ length: 9 }, (_, n) => `p${n}`);
    for (const profile of profiles)
      await put(
        Object.fromEntries(
          Array.from({ length: 22 }, (_, n) => [`inventory,${profile}/${profile}/k${n}`, '0']),
        ),
      );
    await put({ 'application/a': '0', 'inventory/b': '0' });
    const proxy = await FaultProxy.start(consul.url);
    try {
      const app = await start({ profiles, agent: { url: proxy.url } });
      expect(app.live.explain().layers).toHaveLength(20);
      const seen: number[] = [];
      for (let n = 1; n <= 12; n++) {
        const profile = profiles[n % profiles.length] ?? '';
        const from = performance.now();
        await put({ [`inventory,${profile}/${profile}/k${n}`]: String(n) });
        await eventually(() => app.config.get(`${profile}.k${n}`) === n, { every: 2 });
        seen.push(performance.now() - from);
        await new Promise((resolve) => setTimeout(resolve, 300));
      }
      expect(changes(app)).toHaveLength(12);
      figure(
        'config',
        `200 keys in 20 trees: an edit is seen after ${Math.round(median(seen))} ms (median of 12)`,
      );
      await eventually(() => proxy.underWay('/v1/kv/config/application/') === 1);
      const before = proxy.requests.length;
      // Unrelated writes wake no tree with keys; one without may wake for its neighbours, and then pauses for longer each time.
      for (let n = 0; n < 20; n++) await client.kv.put(`config/neighbour/${n}`, 'x');
      await new Promise((resolve) => setTimeout(resolve, 5_000));
      const asked = proxy.requests
        .slice(before)
        .map(({ what }) => decodeURIComponent(what.split('?')[0] ?? ''));
      expect(asked.filter((path) => !path.includes('config/application,p'))).toEqual([]);
      for (const profile of profiles)
        expect(asked.filter((path) => path.endsWith(`application,${profile}/`)).length).toBeLessThanOrEqual(
          6,
        );
    } finally {
      for (const { app } of apps.splice(0)) await app.close();
      await proxy.stop();
    }
  });

  it('a tree that is read later than the others is used with them, and nothing is used before', async () => {
    await put({ 'application/title': 'all', 'inventory/rate': '1' });
    const proxy = await FaultProxy.start(consul.url);
    proxy.fault = (path) => (path.startsWith('/v1/kv/config/inventory') ? { delay: 700 } : undefined);
    try {
      const schema = z.object({ rate: z.number(), title: z.string() });
      const { live, logger, events } = await start({ agent: { url: proxy.url }, schema, debounce: '50ms' });
      expect(live.explain()).toMatchObject({ version: 1, value: { rate: 1, title: 'all' }, problems: [] });
      expect(events).toEqual([]);
      expect(logger.matching(/^error|cannot be used/)).toEqual([]);
    } finally {
      for (const { app } of apps.splice(0)) await app.close();
      await proxy.stop();
    }
  });

  it('answers that are no answers change nothing, and are followed by the next good one', async () => {
    await put({ 'inventory/a': '1' });
    const proxy = await FaultProxy.start(consul.url);
    try {
      const { live, config } = await start({ agent: { url: proxy.url } });
      for (const fault of [
        'garbage',
        'reset',
        { status: 500 },
        { status: 200, body: '{}' },
        { status: 200, body: '[{"Key":5}]' },
        { status: 429 },
      ] as const) {
        proxy.fault = () => fault;
        proxy.resetAll();
        await eventually(() => live.explain().state === 'stale');
        expect(live.get()).toEqual({ a: 1 });
        proxy.fault = () => undefined;
        await eventually(() => live.explain().state === 'live', { within: 60_000 });
      }
      await put({ 'inventory/a': '2' });
      await eventually(() => config.get('a') === 2);
    } finally {
      for (const { app } of apps.splice(0)) await app.close();
      await proxy.stop();
    }
  }, 180_000);
});

describe('live configuration with ACLs', () => {
  it('F60 a token that loses the permission for a part of a tree loses none of its values, while others are deleted and changed', async () => {
    const management = randomUUID();
    const consul = await startTestConsul({ token: management });
    const admin = ConsulClient.create({ url: consul.url, token: management });
    const rest = 'agent_prefix "" { policy = "read" }';
    const all = `key_prefix "config/" { policy = "read" } ${rest}`;
    const Name = `app-${randomUUID()}`;
    const { body } = await consul.request('PUT', '/v1/acl/policy', { Name, Rules: all });
    const { ID } = body as { ID: string };
    const answer = await consul.request('PUT', '/v1/acl/token', { Policies: [{ Name }] });
    const { SecretID: token } = answer.body as { SecretID: string };
    for (const key of ['a', 'b', 'zz/c', 'zz/d']) await admin.kv.put(`config/inventory/${key}`, '1');
    const app = await startConfigApp(consul.url, [
      consulConfig({ agent: { url: consul.url, token }, name: 'inventory' }),
    ]);
    try {
      const Rules = `key_prefix "config/inventory/zz/" { policy = "deny" } ${all}`;
      await consul.request('PUT', `/v1/acl/policy/${ID}`, { ID, Name, Rules });
      // The agent may keep the old permissions for a moment.
      await eventually(
        async () => {
          const read = await consul.request('GET', '/v1/kv/config/inventory/zz/c', undefined, {
            'x-consul-token': token,
          });
          return read.status === 403;
        },
        { within: 60_000 },
      );
      await admin.kv.delete('config/inventory/a');
      await eventually(() => app.live.problems.length > 0, { within: 60_000 });
      await admin.kv.put('config/inventory/b', '2');
      await eventually(() => app.live.get('b') === 2);
      // Longer than keys are kept that are only missing.
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      expect(app.live.get()).toEqual({ b: 2, zz: { c: 1, d: 1 } });
      expect(app.live.problems[0]?.reason).toMatch(
        /2 of 3 keys below config\/inventory\/ are missing, and stay in use: the token may no longer read them/,
      );
      await consul.request('PUT', `/v1/acl/policy/${ID}`, { ID, Name, Rules: all });
      await eventually(() => app.live.problems.length === 0, { within: 90_000 });
      await eventually(() => app.live.get('a') === undefined);
      expect(app.live.get()).toEqual({ b: 2, zz: { c: 1, d: 1 } });
    } finally {
      await app.app.close();
      await admin.close();
      await consul.stop();
    }
  }, 200_000);

  const management = randomUUID();
  let consul: TestConsul;

  beforeAll(async () => {
    consul = await startTestConsul({ token: management });
  });
  afterAll(() => consul.stop());

  it('F60 a token that may no longer read the keys takes no value away, and a token that never could is named', async () => {
    const rules = (level: string): string =>
      `key_prefix "config/" { policy = "${level}" } service_prefix "" { policy = "read" } node_prefix "" { policy = "read" } agent_prefix "" { policy = "read" }`;
    const Name = `app-${randomUUID()}`;
    const policy = await consul.request('PUT', '/v1/acl/policy', { Name, Rules: rules('read') });
    const { ID } = policy.body as { ID: string };
    const answer = await consul.request('PUT', '/v1/acl/token', { Policies: [{ Name }] });
    const { SecretID: token } = answer.body as { SecretID: string };
    const admin = ConsulClient.create({ url: consul.url, token: management });
    await admin.kv.put('config/inventory/a', '1');
    await admin.kv.put('config/inventory/b', '1');
    const app = await startConfigApp(consul.url, [
      consulConfig({ agent: { url: consul.url, token }, name: 'inventory' }),
    ]);
    try {
      expect(app.live.get()).toEqual({ a: 1, b: 1 });
      await consul.request('PUT', `/v1/acl/policy/${ID}`, { ID, Name, Rules: rules('deny') });
      // A write wakes the watch, which shows an empty tree now.
      await eventually(
        async () => {
          await admin.kv.put('config/inventory/a', randomUUID());
          return app.live.problems.length > 0 || app.live.explain().state === 'stale';
        },
        { every: 500, within: 60_000 },
      );
      expect(app.live.get('b')).toBe(1);
      expect(inspect([app.live.problems, app.logger.lines], { depth: 5 })).toMatch(
        /may no longer read|Permission denied/,
      );
      await admin.kv.put('config/inventory/a', '2');
      await consul.request('PUT', `/v1/acl/policy/${ID}`, { ID, Name, Rules: rules('read') });
      await eventually(() => app.live.get('a') === 2 && app.live.problems.length === 0, { within: 90_000 });
    } finally {
      await app.app.close();
    }
    await consul.request('PUT', `/v1/acl/policy/${ID}`, { ID, Name, Rules: rules('deny') });
    const denied = consulConfig({
      agent: { url: consul.url, token },
      name: 'inventory',
      startup: 'fail-fast',
    });
    await eventually(
      async () => {
        const error = await startConfigApp(consul.url, [denied]).then(
          async ({ app: started }) => {
            await started.close();
            return undefined;
          },
          (thrown: unknown) => thrown as Error,
        );
        return (
          error &&
          /RK_ACL_DENIED|may not read the keys below config\/application\/|Permission denied/.test(
            `${(error as { code?: string }).code} ${error.message}`,
          )
        );
      },
      { within: 60_000, every: 500 },
    );
    await admin.close();
  }, 240_000);
});
