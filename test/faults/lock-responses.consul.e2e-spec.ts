import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable, type Type } from '@nestjs/common';
import { Cron, ScheduleModule } from '@nestjs/schedule';
import {
  ConsulModule,
  ConsulSession,
  currentLock,
  LeaderElections,
  LockService,
  OnlyLeader,
  type ConsulModuleOptions,
} from '@rookery/consul';
import { eventually, startTestConsul, thrownBy, type TestConsul } from '@rookery/test-support';
import { rootModule, startApp, type TestApp } from '../e2e/test-app.js';
import { FaultProxy, type Fault } from './fault-proxy.js';

const KEY = 'locks/orders/42';
/** Consul has done what was asked for, and the response is lost. */
const LOST_RESPONSE: Fault = { edit: () => 'no JSON' };

@Injectable()
class Job {
  readonly ran: number[] = [];
  readonly held: (boolean | undefined)[] = [];

  @OnlyLeader('leaders/jobs')
  @Cron('*/2 * * * * *')
  run(): void {
    this.ran.push(Math.round(Date.now() / 1_000));
    this.held.push(currentLock()?.isHeld);
  }
}

describe('F65 locks and lost responses', () => {
  let consul: TestConsul;
  let proxy: FaultProxy;
  let apps: TestApp[];

  const start = async (options: ConsulModuleOptions = {}, providers: Type[] = []): Promise<TestApp> => {
    const imports = [
      ConsulModule.forRoot({ agent: { url: proxy.url }, ...options }),
      ScheduleModule.forRoot(),
    ];
    const app = await startApp(rootModule(imports, { providers }));
    apps.push(app);
    return app;
  };
  const direct = (): Promise<TestApp> => start({ agent: { url: consul.url } });
  const locksOf = ({ app }: TestApp): LockService => app.get(LockService);
  /** The next request whose path begins like this gets the fault; later ones do not. */
  const once = (path: string, fault: Fault): void => {
    let isDone = false;
    proxy.fault = (requested) => {
      if (isDone || !requested.startsWith(path)) return undefined;
      isDone = true;
      return fault;
    };
  };
  const sessions = async (): Promise<unknown[]> =>
    (await consul.request('GET', '/v1/session/list')).body as unknown[];
  const requests = (path: string): number =>
    proxy.requests.filter(({ what }) => what.split(' ')[1]?.startsWith(path)).length;

  beforeEach(async () => {
    apps = [];
    consul = await startTestConsul();
    proxy = await FaultProxy.start(consul.url);
  });
  afterEach(async () => {
    proxy.fault = () => undefined;
    consul.resume();
    await Promise.all(apps.map(({ app }) => app.close()));
    await proxy.stop();
    await consul.stop();
  });

  it.each(['a lock', 'a semaphore', 'an election'])(
    'acquires %s whose first response was lost',
    async (what) => {
      const app = await start();
      once('/v1/txn', LOST_RESPONSE);
      if (what === 'an election') {
        const election = app.app.get(LeaderElections).of(KEY);
        await eventually(() => election.isLeader);
        return;
      }
      const locks = locksOf(app);
      const semaphore = locks.semaphore(KEY, 1);
      const lock = await (what === 'a lock' ? locks.acquire(KEY) : semaphore.acquire());
      expect(lock.isHeld).toBe(true);
      await lock.release();
      expect(await (what === 'a lock' ? locks.tryLock(KEY) : semaphore.tryAcquire())).toBeDefined();
    },
  );

  it('tryLock whose response was lost fails, and leaves the lock free at once', async () => {
    const app = await start();
    once('/v1/txn', LOST_RESPONSE);
    expect(await thrownBy(() => locksOf(app).tryLock(KEY))).toMatchObject({
      code: 'RK_REGISTRY_BAD_RESPONSE',
    });
    expect((await locksOf(app).tryLock(KEY))?.isHeld).toBe(true);
  });

  it.each([
    ['txn', '/v1/txn'],
    ['session', '/v1/session/create'],
  ])('takes no response for a lock that has none of its fields: %s', async (_name, path) => {
    const app = await start();
    proxy.fault = (requested) => (requested.startsWith(path) ? { edit: () => '{}' } : undefined);
    expect(await thrownBy(() => locksOf(app).tryLock(KEY))).toMatchObject({
      code: 'RK_REGISTRY_BAD_RESPONSE',
    });
    const waiting = locksOf(app).acquire(KEY);
    await sleep(300);
    proxy.fault = () => undefined;
    expect((await waiting).fence).toBeGreaterThan(0);
  });

  it('a closed app leaves neither a lock nor a session behind, whatever it was waiting for', async () => {
    for (const how of ['acquire', 'tryLock'] as const) {
      const app = await start();
      proxy.fault = (requested) => (requested.startsWith('/v1/txn') ? { delay: 300 } : undefined);
      const before = requests('/v1/txn');
      const acquired = thrownBy(() => locksOf(app)[how](KEY));
      await eventually(() => requests('/v1/txn') > before, { every: 1 });
      await app.app.close();
      expect(await acquired).toMatchObject({ code: 'RK_SHUT_DOWN' });
      proxy.fault = () => undefined;
      expect((await consul.request('GET', `/v1/kv/${KEY}`)).status).toBe(404);
      expect(await sessions()).toEqual([]);
    }
  });

  it('a lock of tryLock is known to explain(), and released when the app is closed', async () => {
    const app = await start();
    const trying = locksOf(app).tryLock(KEY);
    await (await locksOf(app).acquire('locks/another')).release();
    const lock = await trying;
    expect(
      locksOf(app)
        .explain()
        .map(({ key }) => key),
    ).toContain(KEY);
    await app.app.close();
    expect(lock?.signal.aborted).toBe(true);
    expect((await consul.request('GET', `/v1/kv/${KEY}`)).status).toBe(404);
  });

  it('does not release the lock of its successor', async () => {
    const [one, other] = [await start(), await direct()];
    const lock = await locksOf(one).acquire(KEY);
    await consul.request('DELETE', `/v1/kv/${KEY}`);
    const next = await locksOf(other).acquire(KEY);
    await lock.release();
    await sleep(200);
    await next.guardedWrite([{ type: 'set', key: 'proof', value: 'x' }]);
    expect(next.isHeld).toBe(true);
  });

  it('is released in the background when Consul did not respond to the release, without a lock-delay', async () => {
    const [one, other] = [await start(), await direct()];
    const lock = await locksOf(one).acquire(KEY);
    proxy.fault = () => 'reset';
    await lock.release();
    const waiting = locksOf(other).acquire(KEY);
    const healed = performance.now();
    proxy.fault = () => undefined;
    await waiting;
    // Neither the expiry of its session nor a lock-delay: 15 s each.
    expect(performance.now() - healed).toBeLessThan(12_000);
  });

  it('elects again soon after an outage in which the leader lost its lease', async () => {
    const app = await start({ locks: { ttl: '10s' } });
    const election = app.app.get(LeaderElections).of(KEY);
    await eventually(() => election.isLeader);
    proxy.isHalfOpen = true;
    await eventually(() => !election.isLeader, { within: 20_000 });
    await sleep(500);
    proxy.isHalfOpen = false;
    proxy.resetAll();
    const healed = performance.now();
    await eventually(() => election.isLeader, { within: 60_000 });
    // By expiry and lock-delay it would take 20 s more.
    expect(performance.now() - healed).toBeLessThan(18_000);
  }, 120_000);

  it('keeps a lock while Consul is slow: renewals may take longer than their interval', async () => {
    const app = await start({ locks: { ttl: '10s' } });
    const lock = await locksOf(app).acquire(KEY);
    proxy.fault = (path) => (path.startsWith('/v1/session/renew') ? { delay: 1_500 } : undefined);
    await sleep(14_000);
    expect(lock.isHeld).toBe(true);
  }, 60_000);

  it('asks a Consul that knows none of its sessions less and less, and leaves it no sessions', async () => {
    const app = await start();
    const text = JSON.stringify({ Results: null, Errors: [{ OpIndex: 0, What: 'invalid session "x"' }] });
    proxy.fault = (path) => (path.startsWith('/v1/txn') ? { status: 409, body: text } : undefined);
    await thrownBy(() => locksOf(app).acquire(KEY, { waitFor: 3_000 }));
    expect(requests('/v1/session/create')).toBeLessThan(12);
    proxy.fault = () => undefined;
    await eventually(async () => (await sessions()).length === 0);
  });

  it('every one of several tries at a semaphore with room for them succeeds', async () => {
    const semaphore = locksOf(await start()).semaphore('exports', 4);
    const permits = await Promise.all([1, 2, 3, 4].map(() => semaphore.tryAcquire()));
    expect(permits.map((permit) => permit?.isHeld)).toEqual([true, true, true, true]);
    // Of the same name, but something else.
    const locks = locksOf(await direct());
    const nested = locks.semaphore('single', 1).withPermit(() => locks.withLock('single', () => 'both'));
    expect(await nested).toBe('both');
    const again = locks.semaphore('single', 1);
    expect(await thrownBy(() => again.withPermit(() => again.acquire()))).toMatchObject({
      code: 'RK_INVALID_ARGUMENT',
    });
  });

  it('a tick whose claim had no response is run, once', async () => {
    const app = await start({}, [Job]);
    const job = app.app.get(Job);
    await eventually(() => job.ran.length >= 1);
    once('/v1/txn', LOST_RESPONSE);
    await eventually(() => job.ran.length >= 4, { within: 20_000 });
    const gaps = job.ran.slice(1).map((second, index) => second - (job.ran[index] ?? 0));
    expect(Math.max(...gaps)).toBeLessThan(4);
    expect(new Set(job.ran).size).toBe(job.ran.length);
    expect(app.app.get(LeaderElections).jobs.report()).toMatchObject([{ missed: 0 }]);
  }, 60_000);

  it('a tick whose leader resigns while it is claimed is run by the next one, under its lock', async () => {
    const [one, other] = [await start({}, [Job]), await start({}, [Job])];
    const jobs = [one, other].map(({ app }) => app.get(Job));
    const elections = [one, other].map(({ app }) => app.get(LeaderElections).of('leaders/jobs'));
    const ran = (): number[] => jobs.flatMap((job) => job.ran).sort((a, b) => a - b);
    await eventually(() => ran().length >= 1);
    const leader = elections.find(({ isLeader }) => isLeader);
    let isDelayed = false;
    proxy.fault = (path) => {
      if (isDelayed || !path.startsWith('/v1/txn')) return undefined;
      isDelayed = true;
      return { delay: 400 };
    };
    await eventually(() => isDelayed, { every: 1 });
    await leader?.resign();
    const before = ran().length;
    await eventually(() => ran().length >= before + 2, { within: 20_000 });
    const seconds = ran();
    expect(new Set(seconds).size).toBe(seconds.length);
    const gaps = seconds.slice(1).map((second, index) => second - (seconds[index] ?? 0));
    expect(Math.max(...gaps)).toBeLessThan(4);
    expect(jobs.flatMap(({ held }) => held)).not.toContain(false);
  }, 60_000);

  describe('ConsulSession', () => {
    it('a key that Consul refuses does not keep the others from being written', async () => {
      const session = (await start()).app.get(ConsulSession);
      await session.put('workers/large', 'x'.repeat(600_000));
      const small = await session.put('workers/small', 1);
      expect(small.isWritten).toBe(true);
      await sleep(1_000);
      expect(small.isWritten).toBe(true);
    });

    it('put ends when the app is closed, and no session is left', async () => {
      const { app } = await start();
      proxy.fault = (path) => (path.startsWith('/v1/session/create') ? { delay: 500 } : undefined);
      const putting = thrownBy(() => app.get(ConsulSession).put('workers/a', 1));
      await eventually(() => requests('/v1/session/create') > 0);
      await app.close();
      expect(await putting).toMatchObject({ code: 'RK_SHUT_DOWN' });
      await eventually(async () => (await sessions()).length === 0);
    });

    it('a removed key does not come back with a write that was in flight', async () => {
      const session = (await start()).app.get(ConsulSession);
      const key = await session.put('workers/a', 1);
      proxy.fault = (path) => (path.startsWith('/v1/txn') ? { delay: 300 } : undefined);
      key.update(2);
      await sleep(50);
      await key.remove();
      proxy.fault = () => undefined;
      await sleep(500);
      expect((await consul.request('GET', '/v1/kv/workers/a')).status).toBe(404);
      const successor = await session.put('workers/a', 3);
      await key.remove();
      expect(successor.isWritten).toBe(true);
      expect((await consul.request('GET', '/v1/kv/workers/a')).status).toBe(200);
    });

    it('a key that somebody has deleted is written again', async () => {
      const session = (await start()).app.get(ConsulSession);
      await session.put('workers/a', 1);
      await consul.request('DELETE', '/v1/kv/workers/a');
      const isBack = async (): Promise<boolean> =>
        (await consul.request('GET', '/v1/kv/workers/a')).status === 200;
      await eventually(isBack, { within: 40_000 });
    }, 60_000);

    it('a key that is something else is refused, and left alone', async () => {
      const session = (await start()).app.get(ConsulSession);
      await consul.request('PUT', '/v1/kv/config/x', 'precious');
      expect(await thrownBy(() => session.put('config/x', 1))).toMatchObject({ code: 'RK_LOCK_CONFLICT' });
      await session.put('workers/a', 1);
      expect((await consul.request('GET', '/v1/kv/config/x')).status).toBe(200);
    });

    it('is there again soon after an outage in which it was lost', async () => {
      const { app } = await start({ locks: { ttl: '10s' } });
      const session = app.get(ConsulSession);
      const key = await session.put('workers/a', 1);
      const first = session.id;
      proxy.isHalfOpen = true;
      await eventually(() => session.id === undefined, { within: 20_000 });
      key.update(2);
      proxy.isHalfOpen = false;
      proxy.resetAll();
      const healed = performance.now();
      await eventually(() => key.isWritten, { within: 40_000 });
      expect(performance.now() - healed).toBeLessThan(11_000); // not by its expiry
      expect(session.id).not.toBe(first);
    }, 90_000);
  });
});
