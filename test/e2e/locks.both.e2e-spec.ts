import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  ConsulKv,
  ConsulModule,
  currentLock,
  DiscoveryEvents,
  KvTransactionError,
  LockService,
  RegistrationService,
  type ConsulModuleOptions,
  type Lock,
  type TimedDiscoveryEvent,
} from '@rookery/consul';
import { eventually, startTestConsul, thrownBy, type TestConsul } from '@rookery/test-support';
import { rootModule, startApp, type TestApp } from './test-app.js';

const KEY = 'locks/orders/42';

interface Process {
  readonly app: TestApp;
  readonly locks: LockService;
  readonly kv: ConsulKv;
  readonly events: TimedDiscoveryEvent[];
}

describe('locks', () => {
  let consul: TestConsul;
  let processes: Process[];

  const start = async (options: ConsulModuleOptions = {}): Promise<Process> => {
    const app = await startApp(
      rootModule([ConsulModule.forRoot({ agent: { url: consul.url }, ...options })]),
    );
    const events: TimedDiscoveryEvent[] = [];
    app.app.get(DiscoveryEvents).events$.subscribe((event) => events.push(event));
    const started = { app, locks: app.app.get(LockService), kv: app.app.get(ConsulKv), events };
    processes.push(started);
    return started;
  };
  const sessions = async (): Promise<{ ID: string; Name: string; TTL: string; LockDelay: number }[]> =>
    (await consul.request('GET', '/v1/session/list')).body as never;

  beforeEach(async () => {
    processes = [];
    consul = await startTestConsul();
  });
  afterEach(async () => {
    consul.resume();
    await Promise.all(processes.map(({ app }) => app.app.close()));
    await consul.stop();
  });

  it('admit one at a time in all processes, with a fence that rises, and leave nothing behind', async () => {
    const all = [await start(), await start()];
    let inside = 0;
    const fences: number[] = [];
    const work = async ({ fence, signal, isHeld }: Lock): Promise<number> => {
      expect(++inside).toBe(1);
      expect(signal.aborted).toBe(false);
      expect(isHeld).toBe(true);
      fences.push(fence);
      await sleep(5);
      inside--;
      return fence;
    };
    const results = await Promise.all(
      all.flatMap(({ locks }) => Array.from({ length: 10 }, () => locks.withLock(KEY, work))),
    );
    expect(results).toHaveLength(20);
    expect([...fences].sort((a, b) => a - b)).toEqual(fences);
    expect(new Set(fences).size).toBe(20);
    expect((await consul.request('GET', `/v1/kv/${KEY}`)).status).toBe(404);
    await eventually(async () => (await sessions()).length === 0);
  });

  it('are released when the work fails, and its error is the result', async () => {
    const { locks } = await start();
    const failing = locks.withLock(KEY, () => Promise.reject(new Error('disk full')));
    await expect(failing).rejects.toThrow('disk full');
    const lock = await locks.tryLock(KEY);
    expect(lock?.isHeld).toBe(true);
    if (lock) await locks.release(lock);
    expect(lock?.isHeld).toBe(false);
    expect(lock?.signal.aborted).toBe(true);
    expect(() => lock?.assertHeld()).toThrow('was released');
  });

  it('tryLock gives undefined while another holds it, in this process or elsewhere, and makes no session', async () => {
    const [one, other] = [await start(), await start()];
    const lock = await one.locks.tryLock(KEY);
    expect(lock).toBeDefined();
    expect(await one.locks.tryLock(KEY)).toBeUndefined();
    expect(await other.locks.tryLock(KEY)).toBeUndefined();
    expect(await sessions()).toHaveLength(1);
    await lock?.release();
    const next = await other.locks.tryLock(KEY);
    expect(next?.fence).toBeGreaterThan(lock?.fence ?? 0);
  });

  it('wait no longer than waitFor, and end with the signal of the caller', async () => {
    const [one, other] = [await start(), await start()];
    await one.locks.acquire(KEY);
    for (const locks of [one.locks, other.locks]) {
      const timedOut = await thrownBy(() => locks.acquire(KEY, { waitFor: 200 }));
      expect(timedOut).toMatchObject({ code: 'RK_LOCK_TIMEOUT' });
      expect(timedOut.message).toContain('locks/orders/42 was not free within 200 ms');
      const stopping = new AbortController();
      const waiting = locks.withLock(KEY, () => 1, { waitFor: Infinity, signal: stopping.signal });
      stopping.abort(new Error('the client has gone'));
      await expect(waiting).rejects.toThrow('the client has gone');
    }
    expect(one.locks.explain()).toMatchObject([{ key: KEY, waiters: 0, held: [{}] }]);
  });

  it('are given to the next one as soon as they are released, in the order of the waiters of a process', async () => {
    const [one, other] = [await start(), await start()];
    const held = await one.locks.acquire(KEY);
    const order: number[] = [];
    const waiting = [1, 2, 3].map((n) => other.locks.withLock(KEY, () => void order.push(n)));
    await eventually(() => other.locks.explain()[0]?.waiters === 3);
    await sleep(300); // its watch blocks
    const released = performance.now();
    await held.release();
    await Promise.all(waiting);
    expect(order).toEqual([1, 2, 3]);
    // Far from the lock-delay, and from every poll.
    expect(performance.now() - released).toBeLessThan(10_000);
  });

  it('refuse a key that holds something else, and arguments that Consul could not take', async () => {
    const { locks, kv } = await start();
    await kv.put('config/limits', '100');
    for (const attempt of [() => locks.acquire('config/limits'), () => locks.tryLock('config/limits')])
      expect(await thrownBy(attempt)).toMatchObject({ code: 'RK_LOCK_CONFLICT' });
    expect((await kv.get('config/limits'))?.value).toBe('100');
    for (const key of ['', '  ', 'a//b', '../x'])
      expect(await thrownBy(() => locks.tryLock(key))).toMatchObject({ code: 'RK_INVALID_ARGUMENT' });
    expect(await thrownBy(() => locks.acquire(KEY, { waitFor: 'soon' }))).toMatchObject({
      code: 'RK_CONFIG_INVALID',
    });
  });

  it('do not overwrite what another program writes to their key while they wait', async () => {
    const [one, other] = [await start(), await start()];
    await one.locks.acquire(KEY);
    const waiting = thrownBy(() => other.locks.acquire(KEY));
    await eventually(() => other.locks.explain()[0]?.waiters === 1);
    await sleep(300);
    await one.kv.transaction([
      { type: 'delete', key: KEY },
      { type: 'set', key: KEY, value: 'precious' },
    ]);
    expect(await waiting).toMatchObject({ code: 'RK_LOCK_CONFLICT' });
    expect((await one.kv.get(KEY))?.value).toBe('precious');
  });

  it('go to the waiter that they were granted to, whatever a subscriber of the event does', async () => {
    const { locks, app } = await start();
    const stopping = new AbortController();
    const subscription = app.app.get(DiscoveryEvents).events$.subscribe(({ type }) => {
      if (type === 'lock.acquired') stopping.abort(new Error('stopped'));
    });
    const [first, second] = [locks.acquire(KEY, { signal: stopping.signal }), locks.acquire(KEY)];
    await (await first).release();
    subscription.unsubscribe();
    expect((await second).isHeld).toBe(true);
  });

  it("are released before the app is deregistered, with checks: 'service'", async () => {
    const options = { service: { name: 'orders' }, locks: { checks: 'service' } } as const;
    const [one, other] = [await start(options), await start()];
    const lock = await one.locks.acquire(KEY);
    const waiting = other.locks.acquire(KEY);
    const leaving = performance.now();
    await one.app.app.get(RegistrationService).deregister();
    await waiting;
    expect(performance.now() - leaving).toBeLessThan(12_000); // not after the lock-delay
    expect(lock.signal.aborted).toBe(true);
  });

  it('are not reentrant: a call that would wait for itself is refused at once', async () => {
    const { locks } = await start();
    const inner = async (): Promise<void> => {
      await sleep(1);
      await locks.withLock('other', () => locks.withLock(KEY, () => 1));
    };
    expect(await thrownBy(() => locks.withLock(KEY, inner))).toMatchObject({ code: 'RK_INVALID_ARGUMENT' });
  });

  it('currentLock is the innermost lock around the code, also after an await', async () => {
    const { locks } = await start();
    expect(currentLock()).toBeUndefined();
    await locks.withLock('outer', async (outer) => {
      await sleep(1);
      expect(currentLock()).toBe(outer);
      await locks.withLock('inner', (inner) => expect(currentLock()).toBe(inner));
      expect(currentLock()).toBe(outer);
    });
    expect(currentLock()).toBeUndefined();
  });

  it('guardedWrite writes only while Consul has the lock', async () => {
    const [one, other] = [await start(), await start()];
    const lock = await one.locks.acquire(KEY);
    const [written] = await lock.guardedWrite([{ type: 'set', key: 'g/position', value: '1' }]);
    expect(written?.key).toBe('g/position');
    const failed = await thrownBy(() =>
      lock.guardedWrite([
        { type: 'set', key: 'g/position', value: '2' },
        { type: 'checkNotExists', key: 'g/position' },
      ]),
    );
    expect(failed).toBeInstanceOf(KvTransactionError);
    expect((failed as KvTransactionError).failures).toMatchObject([{ index: 1, key: 'g/position' }]);
    for (const own of [
      { type: 'set', key: KEY, value: '1' } as const,
      { type: 'deleteTree', prefix: 'locks/' } as const,
    ])
      expect(await thrownBy(() => lock.guardedWrite([own]))).toMatchObject({ code: 'RK_INVALID_ARGUMENT' });
    expect(lock.isHeld).toBe(true);
    // An operator deletes the key: another process acquires it before this one knows.
    await other.kv.delete(KEY);
    const next = await other.locks.acquire(KEY);
    const stale = await thrownBy(() =>
      lock.guardedWrite([{ type: 'set', key: 'g/position', value: 'stale' }]),
    );
    expect(stale).toMatchObject({ code: 'RK_LOCK_LOST' });
    expect(lock.isHeld).toBe(false);
    expect(next.fence).toBeGreaterThan(lock.fence);
    await next.guardedWrite([{ type: 'set', key: 'g/position', value: '3' }]);
    expect((await one.kv.get('g/position'))?.value).toBe('3');
  });

  it('are lost when their session is invalidated: the signal aborts, and work that went on is told', async () => {
    const { locks, events, app } = await start();
    let signal: AbortSignal | undefined;
    const working = locks.withLock(KEY, async (lock) => {
      signal = lock.signal;
      await consul.request('PUT', `/v1/session/destroy/${lock.session}`);
      await eventually(() => lock.signal.aborted);
      return 'done';
    });
    const lost = await thrownBy(() => working);
    expect(lost).toMatchObject({ code: 'RK_LOCK_LOST' });
    expect(lost.message).toMatch(/locks\/orders\/42 is lost: its session (is gone|has ended)/);
    expect((signal?.reason as Error).message).toBe(lost.message);
    expect(events.map(({ type }) => type)).toEqual(expect.arrayContaining(['lock.acquired', 'lock.lost']));
    expect(app.logger.lines.join('\n')).toContain('locks/orders/42: lost after');
  });

  it('are lost when their key is deleted, though the session goes on', async () => {
    const { locks, kv } = await start();
    const lock = await locks.acquire(KEY);
    await sleep(1_500); // it is watched from one second on
    expect(lock.isHeld).toBe(true);
    await kv.delete(KEY);
    await eventually(() => lock.signal.aborted);
    expect((lock.signal.reason as Error).message).toContain('or its key was deleted or taken');
    await eventually(async () => (await locks.tryLock(KEY))?.isHeld === true);
  });

  it('keep a lock through a plain write of its key, which resets LockIndex, and through a short outage', async () => {
    const [{ locks, kv }, waiting] = [await start(), await start()];
    const lock = await locks.acquire(KEY);
    await sleep(1_500);
    await kv.put(KEY, 'somebody was here');
    expect(await locks.tryLock(KEY)).toBeUndefined();
    expect((await thrownBy(() => waiting.locks.acquire(KEY, { waitFor: 100 }))).message).toContain(
      'was not free',
    );
    consul.pause();
    await sleep(4_000);
    consul.resume();
    await sleep(2_000);
    expect(lock.isHeld).toBe(true);
    await lock.guardedWrite([{ type: 'set', key: 'g/x', value: '1' }]);
  });

  it('count as lost when no renewal was confirmed for 80 % of the TTL, before Consul can give them away', async () => {
    const { locks, events } = await start({ locks: { ttl: '10s' } });
    const lock = await locks.acquire(KEY);
    expect(lock.remainingMs).toBeLessThanOrEqual(8_000);
    expect(lock.expiresInMs).toBeGreaterThan(lock.remainingMs);
    const paused = performance.now();
    consul.pause();
    await eventually(() => lock.signal.aborted, { within: 20_000, every: 5 });
    const aborted = performance.now();
    consul.resume();
    // One that would have waited for an error of Consul, or for the TTL, comes later; not before renewals have failed.
    expect(aborted - paused).toBeGreaterThan(6_000);
    expect(events.map(({ type }) => type)).toContain('lock.doubtful');
    expect((lock.signal.reason as Error).message).toContain('no renewal was confirmed in time');
  }, 60_000);

  it('wait out the lock-delay of a session that was invalidated', async () => {
    const [one, other] = [await start({ locks: { ttl: '10s' } }), await start({ locks: { ttl: '10s' } })];
    const lock = await one.locks.acquire(KEY);
    const waiting = other.locks.acquire(KEY);
    await eventually(() => other.locks.explain()[0]?.waiters === 1);
    await consul.request('PUT', `/v1/session/destroy/${lock.session}`);
    const destroyed = performance.now();
    const impatient = await start();
    const told = await thrownBy(() => impatient.locks.acquire(KEY, { waitFor: '2s' }));
    expect(told.message).toContain('Consul keeps it from everyone for the lock-delay');
    const next = await waiting;
    expect(performance.now() - destroyed).toBeGreaterThan(9_000);
    expect(next.isHeld).toBe(true);
    expect(lock.isHeld).toBe(false);
  }, 60_000);

  it('are released at once when the app is closed, after work had its time to stop', async () => {
    const [one, other] = [await start(), await start()];
    const steps: string[] = [];
    const working = one.locks.withLock(KEY, async ({ signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      await sleep(50);
      steps.push('the work has ended');
    });
    working.catch(() => undefined);
    await eventually(() => one.locks.explain()[0]?.held.length === 1);
    const queued = thrownBy(() => one.locks.acquire(KEY, { waitFor: Infinity }));
    const waiting = other.locks.acquire(KEY).then((lock) => {
      steps.push('the next one has it');
      return lock;
    });
    await eventually(() => other.locks.explain()[0]?.waiters === 1 && one.locks.explain()[0]?.waiters === 1);
    const closing = performance.now();
    await one.app.app.close();
    const lock = await waiting;
    expect(performance.now() - closing).toBeLessThan(10_000); // not after a lease
    expect(steps).toEqual(['the work has ended', 'the next one has it']);
    expect(lock.isHeld).toBe(true);
    expect(await thrownBy(() => working)).toMatchObject({ code: 'RK_SHUT_DOWN' });
    expect(await queued).toMatchObject({ code: 'RK_SHUT_DOWN' });
    expect(await thrownBy(() => one.locks.tryLock(KEY))).toMatchObject({ code: 'RK_SHUT_DOWN' });
  });

  it('tell who holds them, since when, and how long they last', async () => {
    const one = await start({ service: { name: 'orders' } });
    const other = await start();
    await one.app.app.get(RegistrationService).whenRegistered();
    const lock = await one.locks.acquire(KEY);
    const report = await other.locks.explain(KEY);
    expect(report).toMatchObject({
      key: KEY,
      holder: { service: 'orders', pid: process.pid, port: one.app.port },
      session: { id: lock.session, ttl: expect.stringMatching(/^15/) },
      own: undefined,
    });
    expect(Date.parse(report.holder?.since ?? '')).toBeGreaterThan(Date.now() - 60_000);
    expect(report.session?.name).toBe(`${KEY} of ${report.holder?.id}`);
    const own = (await one.locks.explain(KEY)).own?.held[0];
    expect(own).toMatchObject({ fence: lock.fence, session: lock.session });
    expect(own?.expiresInMs).toBeGreaterThan(own?.remainingMs ?? Infinity);
    const health = async (process: Process): Promise<object> =>
      ((await (await fetch(`${process.app.url}/health`)).json()) as { details: object }).details;
    await eventually(async () => 'locks' in (await health(one)));
    expect(await health(one)).toMatchObject({ locks: { status: 'up', held: [KEY], waiting: [] } });
    expect(await health(other)).not.toHaveProperty('locks');
    const shown = await (await fetch(`${one.app.url}/discovery`)).json();
    expect(shown).toMatchObject({
      services: [],
      locks: [{ key: KEY, waiters: 0, held: [{ fence: lock.fence }] }],
    });
    await lock.release();
    expect(await other.locks.explain(KEY)).toMatchObject({ holder: undefined, session: undefined });
  });

  it('warn of a lock that is held for longer than its warnAfter', async () => {
    const { locks, events, app } = await start();
    await locks.withLock(KEY, () => eventually(() => events.some(({ type }) => type === 'lock.overdue')), {
      warnAfter: 100,
    });
    expect(app.logger.lines.join('\n')).toContain('longer than its warnAfter');
    await locks.withLock(KEY, () => sleep(50), { warnAfter: '10s' });
    await locks.withLock(KEY, () => sleep(50), { warnAfter: Infinity });
    expect(events.filter(({ type }) => type === 'lock.overdue')).toHaveLength(1);
  });

  it("end with a critical check of the service, with checks: 'service'", async () => {
    const check = { type: 'ttl', ttl: '60s' } as const;
    const one = await start({ service: { name: 'orders', check }, locks: { checks: 'service' } });
    // Also before the app is registered: it is waited for.
    const lock = await one.locks.acquire(KEY, { waitFor: '20s' });
    const checks = (await consul.request('GET', '/v1/agent/checks')).body as object;
    const [id = ''] = Object.keys(checks);
    await consul.request('PUT', `/v1/agent/check/fail/${encodeURIComponent(id)}`);
    await eventually(() => lock.signal.aborted, { within: 10_000 });
    const other = await start({ locks: { checks: 'service' } });
    const none = await thrownBy(() => other.locks.tryLock('locks/other'));
    expect(none.message).toContain("locks.checks = 'service': this app has no check in Consul");
  }, 60_000);

  it('name every wrong option, and what to write instead', async () => {
    const wrong = async (locks: object): Promise<string> =>
      (await thrownBy(() => start({ locks: locks }))).message;
    expect(await wrong({ ttl: '5s' })).toContain('locks.ttl = "5s": must be a duration from 10 s to 24 h');
    expect(await wrong({ ttl: '30s', lockDelay: '15s' })).toContain(
      'locks.lockDelay = "15s": must not be below locks.ttl, 30000 ms',
    );
    expect(await wrong({ ttl: '2m', lockDelay: '3m' })).toContain('must be a duration from 10 s to 1 m');
    expect(await wrong({ checks: 'serfHealth' })).toContain("must be 'none', 'service', or ids of checks");
    expect(await wrong({ leaseTime: 1 })).toContain('locks.leaseTime: unknown option');
  });
});
