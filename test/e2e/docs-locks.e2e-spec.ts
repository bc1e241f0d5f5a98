/* eslint-disable jest/no-export -- the documentation shows these files as they are */
import { missingOptions } from './documented-options.js';
// leaders.md: locks
// payments.ts
import { Injectable } from '@nestjs/common';
import { currentLock, Locked, LockService } from '@rookery/consul';
import { Orders } from './orders.js';

@Injectable()
export class Payments {
  constructor(
    private readonly locks: LockService,
    private readonly orders: Orders,
  ) {}

  async settle(orderId: string): Promise<void> {
    // One at a time, in all processes. It waits for a minute at most, then RK_LOCK_TIMEOUT.
    await this.locks.withLock(`locks/orders/${orderId}`, async ({ signal, fence }) => {
      await this.orders.charge(orderId, { signal }); // stops when the lock may be lost
      await this.orders.save(orderId, 'paid', fence); // refused when another one had it since
    });
  }

  // The same for a whole method, with a key from its arguments.
  @Locked((orderId: string) => `locks/orders/${orderId}`, { waitFor: '5s' })
  async cancel(orderId: string): Promise<void> {
    await this.orders.save(orderId, 'cancelled', currentLock()?.fence ?? 0);
  }
}
// leaders.md: end
// leaders.md: leader
// nightly.ts, with the imports of payments.ts
import { Cron } from '@nestjs/schedule';
import { OnlyLeader } from '@rookery/consul';

@Injectable()
export class Nightly {
  constructor(private readonly orders: Orders) {}

  @Cron('0 3 * * *')
  @OnlyLeader('leaders/nightly')
  async archive(): Promise<void> {
    await this.orders.archive({ signal: currentLock()?.signal });
  }
}
// leaders.md: end
import { setTimeout as sleep } from 'node:timers/promises';
import { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  ConsulModule,
  ConsulSession,
  DiscoveryEvents,
  LeaderElections,
  type KvValue,
  type Lock,
} from '@rookery/consul';
import { EmbeddedConsul } from '@rookery/embedded-consul';
import { eventually, readPage, shownExamples, thrownBy } from '@rookery/test-support';
import { rootModule, startApp, type TestApp } from './test-app.js';

describe('the locks that the documentation shows', () => {
  let consul: EmbeddedConsul;
  let database: PGlite;
  let started: TestApp;
  let locks: LockService;

  beforeAll(async () => {
    consul = await EmbeddedConsul.start();
    // PostgreSQL itself, in this process.
    database = await PGlite.create();
    const url = consul.url;
    // leaders.md: lock options
    const shop = ConsulModule.forRoot({
      agent: { url },
      locks: {
        ttl: '15s',
        lockDelay: '15s',
        checks: 'none',
        warnAfter: '1m',
        shutdownTimeout: '5s',
      },
    });
    // leaders.md: end
    started = await startApp(rootModule([shop], { providers: [Orders, Payments, Nightly] }));
    locks = started.app.get(LockService);
  });
  afterAll(async () => {
    await started.app.close();
    await database.close();
    await consul.stop();
  });

  it('hand the fence to the resource', async () => {
    const [payments, orders] = [started.app.get(Payments), started.app.get(Orders)];
    await Promise.all([payments.settle('42'), payments.cancel('42'), payments.settle('42')]);
    expect(orders.most).toBe(1);
    const fences = orders.saved.map(({ fence }) => fence);
    expect(fences).toHaveLength(3);
    expect([...new Set(fences)].sort((a, b) => a - b)).toEqual(fences);
  });

  it('leave a job to the leader', async () => {
    await eventually(() => started.app.get(LeaderElections).of('leaders/nightly').isLeader);
    await started.app.get(Nightly).archive();
    expect(started.app.get(Orders).archived).toBe(1);
  });

  it('tell who leads, and hand over', async () => {
    const elections = started.app.get(LeaderElections);
    const seen: unknown[] = [];
    // leaders.md: election
    const election = elections.of('leaders/reports'); // takes part from now on
    const isLeading = (): boolean => election.isLeader; // by the clock of this process, at this moment
    const fence = (): number | undefined => election.term?.fence; // of its lock, while it leads; also signal and guardedWrite
    // { service, id, address, port, host, pid, since } of the process that leads, in every process
    const subscription = election.leader$.subscribe((leader) => seen.push(leader?.pid));
    await eventually(() => election.isLeader);
    await election.resign(); // another one leads, at once; this one takes part again after two seconds
    // leaders.md: end
    expect([isLeading(), fence()]).toEqual([false, undefined]);
    await eventually(() => seen.includes(process.pid));
    subscription.unsubscribe();
  });

  it('share permits, and live as long as the process', async () => {
    const session = started.app.get(ConsulSession);
    const work = (signal: AbortSignal): Promise<void> => sleep(5, undefined, { signal });
    const share = (workers: readonly KvValue<{ queues: string[] }>[]): void => void (seen = workers.length);
    let seen = 0;
    // leaders.md: semaphore
    const exports = locks.semaphore('semaphores/exports', 3);
    await exports.withPermit(({ signal }) => work(signal));

    // A key that lives as long as this process: gone at once when it stops, after 15 to 30 s when it dies.
    const me = await session.put('workers/host-1', { queues: ['mail'] });
    session.watch<{ queues: string[] }>('workers/').subscribe((workers) => share(workers));
    me.update({ queues: ['mail', 'exports'] });
    // leaders.md: end
    await eventually(() => seen === 1 && me.isWritten);
  });

  it('protect a row of PostgreSQL by the fence, whatever a stale holder does', async () => {
    const query = (sql: string, values: unknown[]): Promise<{ affectedRows?: number }> =>
      database.query(sql, values);
    await database.query(
      // locks.md: table
      `CREATE TABLE accounts (id text PRIMARY KEY, balance integer NOT NULL, version bigint NOT NULL DEFAULT 0)`,
      // locks.md: end
    );
    await database.query(`INSERT INTO accounts VALUES ('alice', 100)`);
    const events: string[] = [];
    started.app.get(DiscoveryEvents).events$.subscribe(({ type }) => events.push(type));
    // locks.md: fence
    const withdraw = async (fence: number, amount: number): Promise<void> => {
      const { affectedRows } = await query(
        `UPDATE accounts SET balance = balance - $2, version = $1 WHERE id = 'alice' AND version < $1`,
        [fence, amount],
      );
      if (affectedRows === 0) throw new Error('another process has had the lock since: nothing was changed');
    };
    // locks.md: end
    const stale = await locks.acquire('locks/alice');
    // It loses the lock, and another one gets it.
    await fetch(`${consul.url}/v1/kv/locks/alice`, { method: 'DELETE' });
    await eventually(() => stale.signal.aborted);
    const later: Lock = await locks.acquire('locks/alice');
    await withdraw(later.fence, 70);
    // The first one was paused, and goes on.
    expect((await thrownBy(() => withdraw(stale.fence, 70))).message).toContain('nothing was changed');
    const { rows } = await database.query<{ balance: number }>('SELECT balance FROM accounts');
    expect(rows).toEqual([{ balance: 30 }]);
    await later.release();
  });

  it.each(shownExamples(import.meta.url))(
    'are on their page, word for word: $page, $name',
    ({ page, text }) => {
      expect(readPage(page)).toContain(text.replace(/^`(.*)`,\n$/s, '$1'));
    },
  );

  it('list every option', () => {
    for (const [file, type] of [
      ['../../libs/discovery/src/coordination/lock-options.ts', 'LockOptions'],
      ['../../libs/consul/src/coordination/lock-options.ts', 'ConsulLockOptions'],
    ] as const)
      expect(missingOptions(readPage('leaders.md'), file, type)).toEqual([]);
  });
});
