import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  DiscoveryEvents,
  EtcdClient,
  EtcdModule,
  LeaderElections,
  LockService,
  type DiscoveryEvent,
  type EtcdModuleOptions,
  type LockHolder,
} from '@rookery/etcd';
import { EtcdServer, eventually, TcpProxy, thrownBy, tool } from '@rookery/test-support';
import { createApp, rootModule, startApp } from './test-app.js';

const KEY = 'locks/nightly';

describe('coordination on etcd, beside etcdctl and through faults', () => {
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
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  const start = async (options: EtcdModuleOptions = {}) => {
    const { app } = await startApp(rootModule([EtcdModule.forRoot({ endpoints: server.url, ...options })]));
    cleanUps.push(() => app.close());
    const events: DiscoveryEvent[] = [];
    app.get(DiscoveryEvents).events$.subscribe((event) => events.push(event));
    return { app, events, locks: app.get(LockService), elections: app.get(LeaderElections) };
  };
  /** `etcdctl` that runs until it is interrupted. */
  const ctl = (args: readonly string[]): { child: ChildProcess; output: () => string } => {
    const env = { ...process.env, ETCDCTL_API: '3' };
    const child = spawn(tool('etcdctl'), ['--endpoints', server.url, ...args], { env });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    cleanUps.push(() => child.kill('SIGKILL'));
    return { child, output: () => text };
  };
  const interrupted = async ({ child }: { child: ChildProcess }): Promise<void> => {
    const exit = once(child, 'exit');
    child.kill('SIGINT');
    await exit;
  };

  it('etcdctl lock and a lock exclude each other, and stand in one line', async () => {
    const { locks } = await start();
    const { locks: others } = await start();
    const first = ctl(['lock', KEY]);
    await eventually(() => first.output().includes(`${KEY}/`));
    expect(await locks.tryLock(KEY)).toBeUndefined();
    expect(await locks.explain(KEY)).toMatchObject({ holder: {}, session: { ttl: '10s' } });
    const order: string[] = [];
    const inLine = async (count: number): Promise<unknown> =>
      eventually(async () => (await etcd.kv.range({ prefix: `${KEY}/` })).values.length === count);
    const second = locks.withLock(KEY, async ({ fence }) => order.push(`second ${fence > 0}`));
    await inLine(2);
    const third = ctl(['lock', KEY, 'env']);
    await inLine(3);
    const fourth = others.withLock(KEY, async ({ fence }) => {
      order.push('fourth');
      return fence;
    });
    await inLine(4);
    const { values } = await etcd.kv.range({ prefix: `${KEY}/` });
    const created = values.map(({ createRevision }) => Number(createRevision)).sort((a, b) => a - b);
    expect(order).toEqual([]);
    await interrupted(first);
    await second;
    const fence = await fourth;
    expect(order).toEqual(['second true', 'fourth']);
    expect(third.output()).toContain(`ETCD_LOCK_KEY=${KEY}/`);
    // The revision at which its key was created: the highest of the line, as it came last.
    expect(fence).toBe(created.at(-1));
  });

  it('etcdctl elect and an election have one leader', async () => {
    const { elections } = await start({ service: { name: 'reports' } });
    const listener = ctl(['elect', '--listen', 'leaders/reports']);
    const theirs = ctl(['elect', 'leaders/reports', 'etcdctl']);
    await eventually(() => theirs.output().includes('etcdctl'));
    const election = elections.of('leaders/reports');
    const seen: (LockHolder | undefined)[] = [];
    election.leader$.subscribe((leader) => seen.push(leader));
    await eventually(() => seen.length > 0);
    expect(seen.at(-1)).toEqual({});
    expect(election.isLeader).toBe(false);
    await interrupted(theirs);
    await eventually(() => election.isLeader);
    await eventually(() => seen.at(-1)?.service === 'reports');
    await eventually(() => listener.output().includes('"service":"reports"'));
  });

  it('waiters are served in the order in which they came, and give up their place when they leave', async () => {
    const all = [await start(), await start(), await start()];
    const [holder, ...waiting] = all;
    const lock = await holder?.locks.acquire(KEY);
    const served: number[] = [];
    const leaving = new AbortController();
    const waiters: Promise<unknown>[] = [];
    for (const [n, { locks }] of waiting.entries()) {
      const signal = n === 0 ? leaving.signal : undefined;
      waiters.push(
        locks.withLock(KEY, () => served.push(n), signal ? { signal } : {}).catch(() => served.push(-1)),
      );
      await eventually(async () => (await etcd.kv.range({ prefix: `${KEY}/` })).values.length === n + 2);
    }
    leaving.abort(new Error('enough'));
    await eventually(async () => (await etcd.kv.range({ prefix: `${KEY}/` })).values.length === 2);
    await lock?.release();
    await Promise.all(waiters);
    expect(served).toEqual([-1, 1]);
  });

  it('a lock below another one is another one', async () => {
    const { locks } = await start();
    const [outer, inner] = [await locks.acquire('orders'), await locks.acquire('orders/42')];
    expect([outer.isHeld, inner.isHeld]).toEqual([true, true]);
    await Promise.all([outer.release(), inner.release()]);
  });

  it('a holder that is cut off stops before another can have it; a shorter outage costs nothing', async () => {
    const proxy = await TcpProxy.start(server.port);
    cleanUps.push(() => proxy.stop());
    const cutOff = await start({ endpoints: proxy.url, locks: { ttl: '10s' } });
    const other = await start();
    const lock = await cutOff.locks.acquire(KEY);
    proxy.silence();
    await sleep(6_000);
    proxy.restore();
    await eventually(() => lock.remainingMs > 7_000, { within: 10_000 });
    expect(lock.isHeld).toBe(true);
    expect(cutOff.events.map(({ type }) => type)).toContain('lock.doubtful');
    proxy.silence();
    const next = other.locks.acquire(KEY).then((acquired) => ({ acquired, at: performance.now() }));
    const stopped = await new Promise<number>((resolve) => {
      lock.signal.addEventListener('abort', () => resolve(performance.now()));
    });
    const { acquired, at } = await next;
    expect(at).toBeGreaterThan(stopped);
    expect(acquired.fence).toBeGreaterThan(lock.fence);
    proxy.restore();
  }, 60_000);

  it('a lock survives a restart of etcd', async () => {
    const { locks, events } = await start();
    const lock = await locks.acquire(KEY);
    await server.kill();
    await sleep(1_000);
    await server.relaunch();
    const { remainingMs } = lock;
    await eventually(() => lock.remainingMs > remainingMs);
    expect(lock.isHeld).toBe(true);
    expect(events.map(({ type }) => type)).not.toContain('lock.lost');
    await lock.release();
    expect((await etcd.kv.range({ prefix: `${KEY}/` })).values).toEqual([]);
  });

  it('without etcd a lock is not given, and the error says why; it is when etcd is back', async () => {
    const { locks } = await start();
    await server.kill();
    const refused = await thrownBy(() => locks.acquire(KEY, { waitFor: 1_000 }));
    expect(refused).toMatchObject({ code: 'RK_LOCK_TIMEOUT' });
    expect(refused.message).toMatch(/could not be acquired within 1000 ms: .*ECONNREFUSED|UNAVAILABLE/);
    expect(await thrownBy(() => locks.tryLock(KEY))).toMatchObject({ code: 'RK_REGISTRY_UNREACHABLE' });
    const waiting = locks.withLock(KEY, () => 'done');
    await server.relaunch();
    expect(await waiting).toBe('done');
  });

  it('says which option of locks is wrong', async () => {
    const wrong = { locks: { ttl: '5s', lockDelay: '15s' } } as EtcdModuleOptions;
    const creating = createApp(rootModule([EtcdModule.forRoot({ endpoints: server.url, ...wrong })]));
    const refused = await thrownBy(() => creating);
    expect(refused).toMatchObject({ code: 'RK_CONFIG_INVALID' });
    expect(refused.message).toContain('locks.ttl');
    expect(refused.message).toContain('lockDelay');
  });
});
