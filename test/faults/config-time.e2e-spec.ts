import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ConsulClient, type DiscoveryEvent } from '@rookery/consul';
import { EmbeddedConsul } from '@rookery/embedded-consul';
import { eventually, FakeClock, figure } from '@rookery/test-support';
// The library's own part, since its clock cannot be set from outside.
import {
  resolveConsulConfig,
  type ConsulConfigOptions,
} from '#libs/consul/dist/config/consul-config-options.js';
import { LoadedConfig } from '#libs/discovery/dist/config/live/loaded-config.js';
import { FaultProxy } from './fault-proxy.js';

const MINUTE_MS = 60_000;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

describe('live configuration over a long time', () => {
  let consul: EmbeddedConsul;
  let client: ConsulClient;
  let clock: FakeClock;
  let config: LoadedConfig | undefined;
  let events: DiscoveryEvent[];
  let folder: string;

  const open = async (options: ConsulConfigOptions = {}): Promise<LoadedConfig> => {
    const resolved = resolveConsulConfig({ agent: { url: consul.url }, name: 'shop', ...options }, {});
    config = await LoadedConfig.load(resolved, clock);
    config.events$.subscribe((event) => events.push(event));
    config.watch();
    return config;
  };
  /** Lets time pass until the condition holds. Requests take real time, and nothing else does. */
  const passUntil = async (holds: () => boolean, stepMs = 1_000): Promise<void> => {
    await eventually(async () => {
      await clock.advance(stepMs);
      return holds();
    });
  };
  const restartEmpty = async (): Promise<void> => {
    const port = Number(new URL(consul.url).port);
    await consul.stop();
    consul = await EmbeddedConsul.start({ port });
  };

  beforeEach(async () => {
    Logger.overrideLogger(false);
    folder = mkdtempSync(join(tmpdir(), 'rookery-config-'));
    consul = await EmbeddedConsul.start();
    client = ConsulClient.create({ url: consul.url });
    clock = new FakeClock();
    events = [];
  });
  afterEach(async () => {
    await config?.close();
    config = undefined;
    await client.close();
    await consul.stop();
    rmSync(folder, { recursive: true });
  });

  it('F60 keeps its values while Consul is away for ten minutes, is empty for an hour, and is restored', async () => {
    for (let n = 0; n < 20; n++) await client.kv.put(`config/shop/k${n}`, String(n));
    const live = await open();
    const before = live.values;
    const port = Number(new URL(consul.url).port);
    await consul.stop();
    await passUntil(() => live.state === 'stale');
    for (let minute = 0; minute < 10; minute++) {
      await clock.advance(MINUTE_MS);
      expect(live.values).toBe(before);
    }
    consul = await EmbeddedConsul.start({ port });
    await passUntil(() => live.problems.length === 1);
    for (let minute = 0; minute < 60; minute++) await clock.advance(MINUTE_MS);
    expect(live.values).toBe(before);
    expect(events.filter(({ type }) => type === 'config.suspect')).toHaveLength(1);
    for (let n = 0; n < 20; n++) await client.kv.put(`config/shop/k${n}`, n === 0 ? 'zero' : String(n));
    await passUntil(() => live.problems.length === 0);
    await passUntil(() => live.values !== before);
    expect(live.values).toEqual({ ...before, k0: 'zero' });
    expect(events.filter(({ type }) => type === 'config.changed')).toEqual([
      { type: 'config.changed', version: 2, paths: ['k0'] },
    ]);
    // The two trees recover independently.
    const types = events.map(({ type }) => type);
    expect([types[0], ...types.slice(1, 3).sort(), ...types.slice(3)]).toEqual([
      'config.stale',
      'config.recovered',
      'config.suspect',
      'config.rejected',
      'config.changed',
    ]);
  }, 60_000);

  it('F60 accepts an empty tree when its folder is created on purpose, after half a minute', async () => {
    for (const key of ['config/shop/a', 'config/application/b']) await client.kv.put(key, '1');
    const live = await open();
    await restartEmpty();
    await passUntil(() => live.problems.length === 2);
    await client.kv.put('config/shop/', '');
    await client.kv.put('config/application/b', '1');
    const from = clock.now();
    await passUntil(() => live.problems.length === 0);
    expect(clock.now() - from).toBeGreaterThanOrEqual(30_000);
    await passUntil(() => !('a' in live.values));
    expect(live.values).toEqual({ b: 1 });
    expect(events).toContainEqual({
      type: 'config.confirmed',
      path: 'config/shop/',
      removed: 1,
      reason: 'still missing after 30 s',
    });
  });

  it('F60 a snapshot on disk protects the values of a process that starts with a Consul that has lost them', async () => {
    await client.kv.put('config/shop/a', '1');
    await (await open({ snapshotDirectory: folder })).close();
    await restartEmpty();
    const live = await open({ snapshotDirectory: folder });
    expect(live.values).toEqual({ a: 1 });
    expect(live.problems).toMatchObject([{ key: 'config/shop/' }]);
    const [file = ''] = readdirSync(folder);
    expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600);
    await live.close();
    writeFileSync(join(folder, file), 'garbage');
    expect((await open({ snapshotDirectory: folder })).values).toEqual({});
  });

  it('saves no keys that cannot be used', async () => {
    await client.kv.put('config/shop/data', 'a: 1');
    const first = await open({ snapshotDirectory: folder, format: 'yaml' });
    await client.kv.put('config/shop/data', 'a: [1');
    await passUntil(() => first.problems.length === 1);
    await first.close();
    await consul.stop();
    const live = await open({ snapshotDirectory: folder, format: 'yaml' });
    expect([live.values, live.state]).toEqual([{ a: 1 }, 'disk']);
    consul = await EmbeddedConsul.start();
  });

  it('saves nothing before it has read each tree', async () => {
    for (const key of ['config/shop/a', 'config/application/b']) await client.kv.put(key, '1');
    const proxy = await FaultProxy.start(consul.url);
    const start = async (): Promise<LoadedConfig> => {
      proxy.fault = () => 'reset';
      const started = await open({ agent: { url: proxy.url }, snapshotDirectory: folder });
      expect(started.state).toBe('defaults');
      return started;
    };
    const partly = await start();
    proxy.fault = (path) => (path.includes('application') ? 'reset' : undefined);
    await passUntil(() => 'a' in partly.values);
    await partly.close();
    expect(readdirSync(folder)).toEqual([]);
    const whole = await start();
    proxy.fault = () => undefined;
    await passUntil(() => 'a' in whole.values && 'b' in whole.values);
    await whole.close();
    expect(readdirSync(folder)).toHaveLength(1);
    await proxy.stop();
  });

  it('starts with the last good keys when Consul holds broken ones', async () => {
    await client.kv.put('config/shop/data', 'limits: { rate: 1 }');
    await (await open({ snapshotDirectory: folder, format: 'yaml' })).close();
    await client.kv.put('config/shop/data', 'limits: { rate');
    const live = await open({ snapshotDirectory: folder, format: 'yaml' });
    expect(live.values).toEqual({ limits: { rate: 1 } });
    expect(live.problems).toMatchObject([{ key: 'config/shop/data' }]);
    await expect(open({ format: 'yaml' })).rejects.toThrow(
      /cannot be used: 1 value is wrong\n {2}- config\/shop\/data: not valid YAML/,
    );
    await live.close();
  });

  it('keeps nothing of 1,000 versions, and no timer after it is closed', async () => {
    const live = await open({ defaults: { list: Array.from({ length: 100 }, (_, n) => n) } });
    const values: unknown[] = [];
    live.changes$.subscribe(({ paths }) => values.push(paths.length));
    const heap: number[] = [];
    for (let n = 1; n <= 1_000; n++) {
      await client.kv.put('config/shop/n', String(n));
      await passUntil(() => (live.values as { n?: number }).n === n, 600);
      if (n % 250 === 0) {
        collectGarbage();
        heap.push(process.memoryUsage().heapUsed / 1024);
      }
    }
    expect(live.version).toBe(1_001);
    expect(values).toEqual(Array(1_000).fill(1));
    figure('config', `heap after 250, 500, 750 and 1,000 versions: ${heap.map(Math.round).join(', ')} kB`);
    const [first = 0, , , last = 0] = heap;
    expect(last - first).toBeLessThan(4_096);
    await live.close();
    await clock.advance(MINUTE_MS);
    expect(clock.pending).toBe(0);
  }, 120_000);
});
