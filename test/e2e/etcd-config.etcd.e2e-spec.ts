import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Inject, Injectable } from '@nestjs/common';
import type { ConfigFactory, ConfigType } from '@nestjs/config';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { EtcdClient, EtcdModule } from '@rookery/etcd';
import { ConfigValue, etcdConfig, OnConfigChange, type EtcdConfigOptions } from '@rookery/etcd/config';
import { EtcdServer, eventually, thrownBy } from '@rookery/test-support';
import { z } from 'zod';
import { startConfigApp, type ConfigApp } from './config-app.js';

describe('live configuration from etcd', () => {
  let server: EtcdServer;
  let etcd: EtcdClient;
  const cleanUps: (() => unknown)[] = [];
  beforeAll(async () => {
    server = await EtcdServer.start();
    etcd = EtcdClient.create({ endpoints: server.url }, {});
  });
  afterAll(async () => {
    etcd.close();
    await server.stop();
  });
  beforeEach(() => etcd.kv.delete({ prefix: '' }));
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  const start = async (
    load: readonly ConfigFactory[],
    providers: Parameters<typeof startConfigApp>[2] = [],
    url = server.url,
  ): Promise<ConfigApp> => {
    const app = await startConfigApp(EtcdModule.forRoot({ endpoints: url }), load, providers);
    cleanUps.push(() => app.app.close());
    return app;
  };
  const load = (options: EtcdConfigOptions = {}) =>
    etcdConfig({ endpoints: server.url, name: 'inventory', debounce: '50ms', ...options });
  const put = async (keys: Record<string, string>): Promise<void> => {
    for (const [key, value] of Object.entries(keys)) await etcd.kv.put(key, value);
  };

  it('has the values of all trees, and follows every edit, new and deleted keys included', async () => {
    await put({
      'config/application/limits/rate': '100',
      'config/application/title': 'shared',
      'config/inventory/title': 'own',
      'config/inventory,prod/title': 'own of prod',
      'config/inventory2/title': 'of another service',
    });
    const { config, live, events } = await start([
      load({ defaults: { limits: { burst: 5 } }, profiles: ['prod'] }),
    ]);
    expect(config.get('limits')).toEqual({ rate: 100, burst: 5 });
    expect(config.get('title')).toBe('own of prod');
    await put({ 'config/inventory/limits/rate': '200', 'config/inventory/fresh': 'true' });
    await eventually(() => config.get('fresh') === true && config.get('limits.rate') === 200);
    for (const key of ['config/inventory/fresh', 'config/inventory,prod/title']) await etcd.kv.delete(key);
    await eventually(() => config.get('fresh') === undefined && config.get('title') === 'own');
    expect(live.explain('limits.rate').origins).toMatchObject([
      {
        value: 200,
        key: 'config/inventory/limits/rate',
        overrides: [{ key: 'config/application/limits/rate' }],
      },
    ]);
    expect(events.map(({ type }) => type)).toContain('config.changed');
  });

  it('reads keys that begin with a slash, and documents', async () => {
    await put({
      '/teams/shop/inventory/data': 'limits:\n  rate: 7\nwarehouses: [north, south]',
      '/teams/shop/application/data': 'limits: { burst: 3 }',
    });
    const { config } = await start([load({ prefix: '/teams/shop', format: 'yaml' })]);
    expect(config.get('limits')).toEqual({ rate: 7, burst: 3 });
    expect(config.get('warehouses')).toEqual(['north', 'south']);
  });

  it('injects typed values, and tells decorated properties and methods of changes', async () => {
    await put({ 'config/inventory/limits/rate': '100' });
    const settings = etcdConfig({
      endpoints: server.url,
      name: 'inventory',
      registerAs: 'shop',
      debounce: '50ms',
      schema: z.object({ limits: z.object({ rate: z.number() }) }),
    });
    @Injectable()
    class Reader {
      readonly seen: unknown[] = [];
      @ConfigValue('shop.limits.rate') readonly rate: number = 0;
      constructor(@Inject(settings.KEY) readonly values: ConfigType<typeof settings>) {}
      @OnConfigChange('shop.limits')
      changed(limits: unknown): void {
        this.seen.push(limits);
      }
    }
    const { app } = await start([settings], [Reader]);
    const reader = app.get(Reader);
    expect([reader.values.limits.rate, reader.rate]).toEqual([100, 100]);
    await put({ 'config/inventory/limits/rate': '7' });
    await eventually(() => reader.rate === 7);
    expect(reader.values.limits.rate).toBe(7);
    await eventually(() => reader.seen.length === 1);
    expect(reader.seen).toEqual([{ rate: 7 }]);
  });

  it('keeps the last good values while an edit is wrong, and says which key', async () => {
    await put({ 'config/inventory/limits/rate': '100' });
    const schema = z.object({ limits: z.object({ rate: z.number() }) });
    const { config, live, health, events } = await start([load({ schema })]);
    await put({ 'config/inventory/limits/rate': 'many' });
    await eventually(() => live.problems.length === 1);
    expect(live.problems[0]?.key).toBe('config/inventory/limits/rate');
    expect(config.get('limits.rate')).toBe(100);
    expect((await health()).configuration?.status).toBe('degraded');
    await put({ 'config/inventory/limits/rate': '8' });
    await eventually(() => config.get('limits.rate') === 8);
    expect(events.map(({ type }) => type)).toEqual(
      expect.arrayContaining(['config.invalid', 'config.valid', 'config.changed']),
    );
  });

  it('a series of edits is one change, and however many come, the last is in use soon', async () => {
    const { config, events } = await start([load()]);
    const begun = performance.now();
    for (let n = 1; n <= 300; n++) await etcd.kv.put('config/inventory/n', String(n));
    await eventually(() => config.get('n') === 300);
    // A change is used 200 ms after the first of a series at the latest; not each of them.
    const most = 3 + (performance.now() - begun) / 200;
    expect(events.filter(({ type }) => type === 'config.changed').length).toBeLessThan(most);
  });

  it('without etcd an app starts with its snapshot or its defaults, or not at all, and has the values when etcd is back', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rookery-etcd-config-'));
    cleanUps.push(() => rmSync(folder, { recursive: true }));
    await put({ 'config/inventory/limits/rate': '100' });
    const first = await start([load({ snapshotDirectory: folder })]);
    await first.app.close();
    await server.kill();
    const options = { startupTimeout: '1s', defaults: { limits: { rate: 1 } } } as const;
    const [withDefaults, withSnapshot] = [
      await start([load(options)]),
      await start([load({ ...options, snapshotDirectory: folder })]),
    ];
    expect([withDefaults, withSnapshot].map(({ config }) => config.get<number>('limits.rate'))).toEqual([
      1, 100,
    ]);
    expect((await withSnapshot.health()).configuration).toMatchObject({
      status: 'degraded',
      message: 'etcd has not responded yet: the values are from disk',
    });
    const refused = await thrownBy(() => start([load({ ...options, startup: 'fail-fast' })]));
    expect(refused.message).toMatch(/cannot read the keys below config\/application\/: .*127\.0\.0\.1/);
    await server.relaunch();
    await put({ 'config/inventory/limits/rate': '300' });
    for (const { config } of [withDefaults, withSnapshot])
      await eventually(() => config.get('limits.rate') === 300, { within: 30_000 });
  }, 60_000);

  it('an etcd that comes back without its data takes no value away, and a restored one is used', async () => {
    const keys = Array.from({ length: 20 }, (_, n) => [`config/inventory/k${n}`, String(n)] as const);
    await put(Object.fromEntries(keys));
    const { config, live, events } = await start([load()]);
    await server.kill();
    server.wipe();
    await server.relaunch();
    await eventually(() => live.problems.length > 0, { within: 30_000 });
    expect(config.get('k7')).toBe(7);
    expect(live.problems.map(({ reason }) => reason).join()).toContain(
      '20 of 20 keys below config/inventory/',
    );
    await put({ ...Object.fromEntries(keys), 'config/inventory/k7': '70' });
    await eventually(() => config.get('k7') === 70 && live.problems.length === 0, { within: 60_000 });
    // The last of the trees may be watched again a moment later.
    const told = (): string[] => events.map(({ type }) => type);
    await eventually(() => told().includes('config.recovered'), { within: 30_000 });
    expect(told()).toEqual(expect.arrayContaining(['config.stale', 'config.suspect', 'config.rejected']));
  }, 120_000);

  it('what was compacted meanwhile is read again', async () => {
    await put({ 'config/inventory/a': '1', 'config/inventory/b': '1' });
    const { config } = await start([load()]);
    await server.kill();
    server.launch();
    await server.ready();
    await put({ 'config/inventory/a': '2' });
    await etcd.kv.delete('config/inventory/b');
    const { revision } = await etcd.status();
    await etcd.kv.compact(revision);
    await eventually(() => config.get('a') === 2 && config.get('b') === undefined, { within: 30_000 });
  }, 60_000);

  it('says what a user lacks, which option is wrong, and no password', async () => {
    const secured = await EtcdServer.start();
    cleanUps.push(() => secured.stop());
    for (const args of [
      ['user', 'add', 'root:rootpass'],
      ['user', 'grant-role', 'root', 'root'],
      ['user', 'add', 'app:geheim'],
      ['auth', 'enable'],
    ])
      await secured.ctl(args);
    const auth = { username: 'app', password: 'geheim' };
    const denied = await thrownBy(() =>
      start([load({ endpoints: secured.url, auth, startup: 'fail-fast' })]),
    );
    expect(denied).toMatchObject({ code: 'RK_ACL_DENIED' });
    expect(denied.message).toContain(
      'It needs the permission to read the prefix: etcdctl role grant-permission ROLE --prefix=true read "config/application/"',
    );
    const wrong = { name: 'a/b', prefix: 'config/', endpoints: 'ftp://app:geheim@x', datacenter: 'dc1' };
    const refused = await thrownBy(() => start([load(wrong)]));
    for (const field of ['name', 'prefix', 'endpoints', 'datacenter: unknown option'])
      expect(refused.message).toContain(`- ${field}`);
    expect(refused.message).toMatch(/^etcdConfig: 4 options are wrong/);
    expect(`${denied.message} ${refused.message}`).not.toContain('geheim');
  });
});
