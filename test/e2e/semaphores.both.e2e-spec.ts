import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ConsulKv, ConsulModule, LockService, type Semaphore } from '@rookery/consul';
import { eventually, startTestConsul, thrownBy, type TestConsul } from '@rookery/test-support';
import { rootModule, startApp, type TestApp } from './test-app.js';

const PREFIX = 'semaphores/exports';

describe('semaphores', () => {
  let consul: TestConsul;
  let apps: TestApp[];

  const start = async (): Promise<{ app: TestApp; locks: LockService; kv: ConsulKv }> => {
    const app = await startApp(rootModule([ConsulModule.forRoot({ agent: { url: consul.url } })]));
    apps.push(app);
    return { app, locks: app.app.get(LockService), kv: app.app.get(ConsulKv) };
  };
  const holders = async (kv: ConsulKv): Promise<{ Limit: number; Holders: Record<string, boolean> }> =>
    JSON.parse((await kv.get(`${PREFIX}/.lock`))?.value ?? '{}') as never;

  beforeEach(async () => {
    apps = [];
    consul = await startTestConsul();
  });
  afterEach(async () => {
    await Promise.all(apps.map(({ app }) => app.close()));
    await consul.stop();
  });

  it('admit as many as their limit in all processes, and leave nothing behind', async () => {
    const all = [await start(), await start()];
    let inside = 0;
    let most = 0;
    const work = async (): Promise<void> => {
      most = Math.max(most, ++inside);
      // The first ones leave once there are as many as may be, however late those come.
      await eventually(async () => most >= 3);
      await sleep(40);
      inside--;
    };
    await Promise.all(
      all.flatMap(({ locks }) => {
        const semaphore = locks.semaphore(PREFIX, 3);
        return Array.from({ length: 9 }, () => semaphore.withPermit(work));
      }),
    );
    expect(most).toBe(3);
    const [{ kv } = await start()] = all;
    await eventually(async () => (await kv.keys(`${PREFIX}/`)).length === 0);
  }, 60_000);

  it('have the layout of the Go client, and a permit writes only while its session has it', async () => {
    const { locks, kv } = await start();
    const semaphore = locks.semaphore(`${PREFIX}/`, 2);
    expect([semaphore.prefix, semaphore.limit]).toEqual([PREFIX, 2]);
    const [first, second] = [await semaphore.acquire(), await semaphore.acquire()];
    expect(await semaphore.tryAcquire()).toBeUndefined();
    expect(await holders(kv)).toEqual({
      Limit: 2,
      Holders: { [first.session]: true, [second.session]: true },
    });
    for (const { session } of [first, second])
      expect((await kv.get(`${PREFIX}/${session}`))?.session).toBe(session);
    // A number of 64 bits, which JSON.parse would round.
    const { text: raw } = await consul.request('GET', `/v1/kv/${PREFIX}/.lock`);
    expect(raw).toContain('16210313421097356768');
    expect(second.fence).toBeGreaterThan(first.fence);
    await second.guardedWrite([{ type: 'set', key: 'exports/last', value: 'x' }]);
    await first.release();
    expect(await holders(kv)).toEqual({ Limit: 2, Holders: { [second.session]: true } });
    const third = await semaphore.tryAcquire();
    expect(third?.isHeld).toBe(true);
  });

  it('forget a holder whose session is gone, and tell it', async () => {
    const [one, other] = [await start(), await start()];
    const lost = await one.locks.semaphore(PREFIX, 1).acquire();
    const waiting = other.locks.semaphore(PREFIX, 1).acquire();
    await eventually(() => other.locks.explain()[0]?.waiters === 1);
    await consul.request('PUT', `/v1/session/destroy/${lost.session}`);
    const next = await waiting;
    await eventually(() => lost.signal.aborted);
    expect(next.isHeld).toBe(true);
    expect(Object.keys((await holders(other.kv)).Holders)).toEqual([next.session]);
  });

  it('are lost when their entry is removed by hand', async () => {
    const { locks, kv } = await start();
    const permit = await locks.semaphore(PREFIX, 2).acquire();
    await sleep(1_300);
    await kv.put(`${PREFIX}/.lock`, JSON.stringify({ Limit: 2, Holders: {} }), {
      flags: 0xe0f69a2baa414de0n,
    });
    await eventually(() => permit.signal.aborted);
  });

  it('are lost, and refused to waiters, when somebody writes something else to their key', async () => {
    const [one, other] = [await start(), await start()];
    const permit = await one.locks.semaphore(PREFIX, 1).acquire();
    const waiting = thrownBy(() => other.locks.semaphore(PREFIX, 1).acquire());
    await eventually(() => other.locks.explain()[0]?.waiters === 1);
    await sleep(1_300);
    await one.kv.put(`${PREFIX}/.lock`, 'garbage');
    await eventually(() => permit.signal.aborted);
    expect(await waiting).toMatchObject({ code: 'RK_LOCK_CONFLICT' });
  });

  it('refuse another limit, a prefix that is something else, and limits that are none', async () => {
    const { locks, kv } = await start();
    await locks.semaphore(PREFIX, 2).acquire();
    const other = await thrownBy(() => locks.semaphore(PREFIX, 5).tryAcquire());
    expect(other).toMatchObject({ code: 'RK_LOCK_CONFLICT' });
    expect(other.message).toContain('semaphores/exports is a semaphore of 2, not of 5');
    await kv.put('data/.lock', '{}');
    expect(await thrownBy(() => locks.semaphore('data', 1).acquire())).toMatchObject({
      code: 'RK_LOCK_CONFLICT',
    });
    for (const limit of [0, -1, 1.5, NaN, '3' as never])
      expect(await thrownBy(async (): Promise<Semaphore> => locks.semaphore(PREFIX, limit))).toMatchObject({
        code: 'RK_INVALID_ARGUMENT',
      });
  });

  it('can have another limit once nobody holds them', async () => {
    const { locks } = await start();
    await locks.semaphore(PREFIX, 2).withPermit(() => 1);
    const permit = await locks.semaphore(PREFIX, 5).tryAcquire();
    expect(permit?.isHeld).toBe(true);
  });
});
