import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it } from '@jest/globals';
import { Injectable, type DynamicModule, type Provider } from '@nestjs/common';
import { Cron, ScheduleModule } from '@nestjs/schedule';
import {
  currentLock,
  DiscoveryEvents,
  LeaderElections,
  Locked,
  LockService,
  OnlyLeader,
  type DiscoveryEvent,
  type Lock,
  type LockOptions,
} from '@rookery/discovery';
import { eventually, thrownBy } from '@rookery/test-support';
import { rootModule, startApp, type TestApp } from '../e2e/test-app.js';

/** A registry on which the cases are run; `other` speaks to it without the code under test. */
export interface CoordinationSetup {
  readonly module: (options: { locks?: LockOptions; service?: { name: string } }) => DynamicModule;
  readonly other: {
    put(key: string, value: string): Promise<unknown>;
    read(key: string): Promise<string | undefined>;
    /** Keys that a lock, a semaphore or an election has. */
    keysOf(name: string): Promise<readonly string[]>;
    /** Ends a session, or a lease, as an operator or an expiry would. */
    endSession(id: string): Promise<unknown>;
    sessions(): Promise<readonly string[]>;
    /** Deletes the key of the present holder. */
    deleteKeyOf(lock: Lock): Promise<unknown>;
  };
}

const KEY = 'locks/orders/42';
const LEADERS = 'leaders/reports';

@Injectable()
class Orders {
  @Locked((id: string) => `locks/orders/${id}`, { waitFor: '5s' })
  async pay(id: string): Promise<string | undefined> {
    await sleep(1);
    return `${id} under ${currentLock()?.key}`;
  }
}

@Injectable()
class Ticks {
  readonly ran: string[] = [];

  @Cron('* * * * * *')
  @OnlyLeader(LEADERS)
  async tick(): Promise<void> {
    // Its timer may be a few milliseconds early; what the next leader runs is most of a second late.
    this.ran.push(new Date(Math.floor((Date.now() + 50) / 1_000) * 1_000).toISOString());
  }
}

/** What locks, semaphores and elections do on every registry. */
export function coordinationCases(setup: () => CoordinationSetup): void {
  const apps: TestApp[] = [];
  const start = async (
    providers: Provider[] = [],
    options: Parameters<CoordinationSetup['module']>[0] = {},
  ) => {
    const imports = [setup().module(options), ScheduleModule.forRoot()];
    const app = await startApp(rootModule(imports, { providers }));
    apps.push(app);
    const events: DiscoveryEvent[] = [];
    app.app.get(DiscoveryEvents).events$.subscribe((event) => events.push(event));
    return { ...app, events, locks: app.app.get(LockService), elections: app.app.get(LeaderElections) };
  };
  afterEach(async () => {
    await Promise.all(apps.splice(0).map(({ app }) => app.close()));
    // Whatever a case did, the end of its apps leaves no session.
    await eventually(async () => (await setup().other.sessions()).length === 0);
  });

  it('one at a time in all processes, with a fence that rises, and nothing is left behind', async () => {
    const all = [await start(), await start()];
    let inside = 0;
    const fences: number[] = [];
    const work = async ({ fence, signal }: Lock): Promise<number> => {
      expect(++inside).toBe(1);
      expect(signal.aborted).toBe(false);
      fences.push(fence);
      await sleep(5);
      inside--;
      return fence;
    };
    await Promise.all(
      all.flatMap(({ locks }) => Array.from({ length: 10 }, () => locks.withLock(KEY, work))),
    );
    expect(new Set(fences).size).toBe(20);
    expect([...fences].sort((a, b) => a - b)).toEqual(fences);
    expect(await setup().other.keysOf(KEY)).toEqual([]);
  });

  it('tryLock gives undefined while another holds it, and acquire waits no longer than it may', async () => {
    const [one, another] = [await start(), await start()];
    const lock = await one.locks.tryLock(KEY);
    expect(lock?.isHeld).toBe(true);
    for (const { locks } of [one, another]) {
      expect(await locks.tryLock(KEY)).toBeUndefined();
      const late = await thrownBy(() => locks.acquire(KEY, { waitFor: 200 }));
      expect(late).toMatchObject({ code: 'RK_LOCK_TIMEOUT' });
      const stopping = new AbortController();
      const waiting = locks.acquire(KEY, { waitFor: Infinity, signal: stopping.signal });
      stopping.abort(new Error('the client has gone'));
      await expect(waiting).rejects.toThrow('the client has gone');
    }
    const next = another.locks.acquire(KEY);
    await lock?.release();
    expect((await next).fence).toBeGreaterThan(lock?.fence ?? Infinity);
  });

  it('a lock whose session ends is lost: its signal aborts, and work that went on is told', async () => {
    const { locks, events } = await start();
    const working = locks.withLock(KEY, async (lock) => {
      await setup().other.endSession(lock.session);
      await eventually(() => lock.signal.aborted);
      expect(lock.isHeld).toBe(false);
      return 'done';
    });
    expect(await thrownBy(() => working)).toMatchObject({ code: 'RK_LOCK_LOST' });
    expect(events.map(({ type }) => type)).toEqual(expect.arrayContaining(['lock.acquired', 'lock.lost']));
  });

  it('a lock whose key is deleted is lost, also for one that waits', async () => {
    const [one, another] = [await start(), await start()];
    const lock = await one.locks.acquire(KEY);
    const next = another.locks.acquire(KEY);
    await setup().other.deleteKeyOf(lock);
    expect((await next).isHeld).toBe(true);
    await eventually(() => lock.signal.aborted);
    await lock.release();
    expect((await next).fence).toBeGreaterThan(lock.fence);
  });

  it('a waiter whose session ends gets it all the same', async () => {
    const [one, another] = [await start(), await start()];
    const lock = await one.locks.acquire(KEY);
    const next = another.locks.acquire(KEY);
    await eventually(async () => (await another.locks.explain(KEY)).own?.waiters === 1);
    const foreign = async (): Promise<readonly string[]> =>
      (await setup().other.sessions()).filter((id) => id !== lock.session);
    for (const id of await foreign()) await setup().other.endSession(id);
    // Longer than one renewal.
    await sleep(1_500);
    await lock.release();
    expect((await next).isHeld).toBe(true);
  });

  it('guardedWrite writes all or nothing, and only while the lock is held there', async () => {
    const [one, another] = [await start(), await start()];
    const lock = await one.locks.acquire(KEY);
    const [written] = await lock.guardedWrite([{ type: 'set', key: 'g/position', value: '1' }]);
    expect(written).toMatchObject({ key: 'g/position' });
    const modifyIndex = written?.modifyIndex ?? 0;
    const conflict = await thrownBy(() =>
      lock.guardedWrite([
        { type: 'set', key: 'g/other', value: '2' },
        { type: 'checkNotExists', key: 'g/position' },
        { type: 'compareAndSet', key: 'g/position', value: '2', modifyIndex: modifyIndex - 1 },
      ]),
    );
    expect(conflict).toMatchObject({ code: 'RK_TRANSACTION_CONFLICT' });
    const { failures } = conflict as unknown as { failures: { index: number; key: string }[] };
    expect(failures.map(({ index }) => index)).toContain(1);
    expect(await setup().other.read('g/other')).toBeUndefined();
    const read = await lock.guardedWrite([
      { type: 'compareAndSet', key: 'g/position', value: '2', modifyIndex },
      { type: 'checkNotExists', key: 'g/nothing' },
      { type: 'set', key: 'g/second', value: '3' },
      { type: 'delete', key: 'g/second-not' },
    ]);
    expect(read.map(({ key }) => key)).toEqual(['g/position', 'g/second']);
    expect(await setup().other.read('g/position')).toBe('2');
    const list = await lock.guardedWrite([
      { type: 'list', prefix: 'g/' },
      { type: 'get', key: 'g/second' },
    ]);
    expect(list.map(({ key, value }) => [key, value])).toEqual([
      ['g/position', '2'],
      ['g/second', '3'],
      ['g/second', '3'],
    ]);
    await lock.guardedWrite([{ type: 'deleteTree', prefix: 'g/' }]);
    expect(await setup().other.read('g/position')).toBeUndefined();
    const missing = await thrownBy(() => lock.guardedWrite([{ type: 'get', key: 'g/second' }]));
    expect(missing).toMatchObject({ code: 'RK_TRANSACTION_CONFLICT' });
    await setup().other.deleteKeyOf(lock);
    const next = await another.locks.acquire(KEY);
    const stale = await thrownBy(() => lock.guardedWrite([{ type: 'set', key: 'g/position', value: 'x' }]));
    expect(stale).toMatchObject({ code: 'RK_LOCK_LOST' });
    expect(await setup().other.read('g/position')).toBeUndefined();
    expect(next.isHeld).toBe(true);
    await lock.release();
  });

  it('what a holder writes below the key of its lock does not block the lock', async () => {
    const [one, another] = [await start(), await start()];
    const lock = await one.locks.acquire(KEY);
    const key = `${KEY}/position`;
    // Where the line of a lock is made of keys below it, that is refused.
    await lock.guardedWrite([{ type: 'set', key, value: '1' }]).catch((error: unknown) => {
      expect(error).toMatchObject({
        code: 'RK_INVALID_ARGUMENT',
        hint: expect.stringMatching(/another key/),
      });
    });
    await lock.release();
    const next = await another.locks.acquire(KEY, { waitFor: '5s' });
    await next.guardedWrite([{ type: 'delete', key }]);
    await next.release();
  });

  it('explain tells which process holds it, by what session, and how many wait', async () => {
    const { locks } = await start([], { service: { name: 'shop' } });
    expect(await locks.explain(KEY)).toMatchObject({ key: KEY, holder: undefined });
    const lock = await locks.acquire(KEY);
    const report = await locks.explain(KEY);
    expect(report.holder).toMatchObject({ pid: process.pid, service: 'shop' });
    expect(report.session?.id).toBe(lock.session);
    expect(report.session?.ttl).toMatch(/^15/);
    expect(report.own?.held).toMatchObject([{ fence: lock.fence }]);
  });

  it('@Locked runs one call at a time for each key', async () => {
    const [one, another] = [await start([Orders]), await start([Orders])];
    const results = await Promise.all(
      [one, another, one].map(({ app }, n) => app.get(Orders).pay(String(n % 2))),
    );
    expect(results).toEqual(['0 under locks/orders/0', '1 under locks/orders/1', '0 under locks/orders/0']);
  });

  it('a semaphore admits as many as it has permits, and refuses another limit', async () => {
    const [one, another] = [await start(), await start()];
    const exports = [one, another].map(({ locks }) => locks.semaphore('semaphores/exports', 2));
    let inside = 0;
    let most = 0;
    const work = async (): Promise<void> => {
      most = Math.max(most, ++inside);
      // The first one waits for a second, however long that takes.
      await eventually(() => most >= 2);
      await sleep(20);
      inside--;
    };
    await Promise.all(exports.flatMap((each) => Array.from({ length: 5 }, () => each.withPermit(work))));
    expect(most).toBe(2);
    const [first, second] = [await exports[0]?.tryAcquire(), await exports[1]?.tryAcquire()];
    expect(await exports[1]?.tryAcquire()).toBeUndefined();
    const refused = await thrownBy(() =>
      one.locks.semaphore('semaphores/exports', 3).acquire({ waitFor: 500 }),
    );
    expect(refused).toMatchObject({ code: 'RK_LOCK_CONFLICT' });
    await first?.release();
    await second?.release();
    expect(await setup().other.keysOf('semaphores/exports')).toEqual([]);
  });

  it('one process leads; when it resigns or ends another one does, and all are told', async () => {
    const all = [await start([], { service: { name: 'a' } }), await start([], { service: { name: 'b' } })];
    const elections = all.map(({ elections: each }) => each.of(LEADERS));
    const led: (string | undefined)[] = [];
    elections[0]?.leader$.subscribe((leader) => led.push(leader?.service));
    const leads = (): number => elections.filter(({ isLeader }) => isLeader).length;
    await eventually(() => leads() === 1);
    const first = elections.findIndex(({ isLeader }) => isLeader);
    const [leader, follower] = [elections[first], elections[1 - first]];
    const fence = leader?.term?.fence ?? Infinity;
    await leader?.resign();
    await eventually(() => follower?.isLeader);
    expect(leads()).toBe(1);
    expect(follower?.term?.fence).toBeGreaterThan(fence);
    const names = ['a', 'b'];
    await eventually(() => led.at(-1) === names[1 - first]);
    // Each election has a watch of its own.
    await eventually(() => leader?.leader?.service === names[1 - first]);
    await all[1 - first]?.app.close();
    await eventually(() => leader?.isLeader);
    expect(all[1 - first]?.events.map(({ type }) => type)).toContain('leader.resigned');
  });

  it('a subscriber of leader$ that throws ends nothing, and all are completed with the app', async () => {
    const { app, elections } = await start([], { service: { name: 'a' } });
    const election = elections.of(LEADERS);
    const led: (string | undefined)[] = [];
    let isComplete = false;
    election.leader$.subscribe(() => {
      throw new Error('that of the test');
    });
    election.leader$.subscribe({
      next: (leader) => led.push(leader?.service),
      complete: () => (isComplete = true),
    });
    await eventually(() => led.at(-1) === 'a');
    await app.close();
    await eventually(() => isComplete);
  });

  it('each tick of a job is run once, in whichever process leads, and is claimed where no candidate is', async () => {
    const all = [await start([Ticks]), await start([Ticks])];
    const ran = (): string[] => all.flatMap(({ app }) => app.get(Ticks).ran);
    await eventually(() => ran().length >= 2, { within: 15_000 });
    const leader = all.find(({ elections }) => elections.of(LEADERS).isLeader);
    await leader?.elections.of(LEADERS).resign();
    const before = ran().length;
    await eventually(() => ran().length >= before + 2, { within: 15_000 });
    expect(new Set(ran()).size).toBe(ran().length);
    expect(all.flatMap(({ elections }) => elections.explain().jobs).map(({ job }) => job)).toContain(
      'Ticks.tick',
    );
    await Promise.all(all.map(({ app }) => app.close()));
    expect(await setup().other.keysOf(LEADERS)).toEqual([]);
  }, 40_000);

  it('refuses a key that is something else, and names that are none', async () => {
    const { locks } = await start();
    for (const name of ['', ' ']) {
      const refused = await thrownBy(async () => locks.acquire(name));
      expect(refused).toMatchObject({ code: 'RK_INVALID_ARGUMENT' });
    }
    await setup().other.put('taken', 'by something else');
    await setup().other.put('taken/too', 'by something else');
    const refused = await thrownBy(() => locks.acquire('taken', { waitFor: 500 }));
    expect(refused).toMatchObject({ code: 'RK_LOCK_CONFLICT' });
    expect(await setup().other.read('taken')).toBe('by something else');
  });
}
