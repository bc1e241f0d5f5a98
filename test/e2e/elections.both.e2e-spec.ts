import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable, type Provider } from '@nestjs/common';
import { Cron, ScheduleModule } from '@nestjs/schedule';
import {
  ConsulKv,
  ConsulModule,
  currentLock,
  DiscoveryEvents,
  LeaderElections,
  Locked,
  LockService,
  OnlyLeader,
  RegistrationService,
  type ConsulModuleOptions,
  type LockHolder,
  type TimedDiscoveryEvent,
} from '@rookery/consul';
import { of, type Observable } from 'rxjs';
import { eventually, startTestConsul, thrownBy, type TestConsul } from '@rookery/test-support';
import { rootModule, startApp, type TestApp } from './test-app.js';

const KEY = 'leaders/reports';

@Injectable()
class Reports {
  readonly fences: number[] = [];
  work: () => Promise<unknown> = async () => undefined;

  @OnlyLeader(KEY)
  async write(name: string): Promise<string | undefined> {
    this.fences.push(currentLock()?.fence ?? 0);
    await this.work();
    return `written ${name}`;
  }

  @Locked((orderId: string) => `locks/orders/${orderId}`, { waitFor: '5s' })
  async pay(orderId: string, amount: number): Promise<string> {
    await this.work();
    return `${currentLock()?.key} ${amount} ${orderId}`;
  }
}

@Injectable()
class Ticks {
  readonly above: number[] = [];
  readonly below: number[] = [];

  @Cron('* * * * * *')
  @OnlyLeader(KEY)
  async cronAbove(): Promise<void> {
    this.above.push(Date.now());
  }

  @OnlyLeader(KEY)
  @Cron('* * * * * *', { timeZone: 'Asia/Kolkata' })
  cronBelow(): void {
    this.below.push(Date.now());
  }
}

@Injectable()
class Hourly {
  @Cron('0 0 * * * *')
  @OnlyLeader('leaders/hourly')
  async run(): Promise<string> {
    return 'ran';
  }
}

@Injectable()
class Weekly extends Hourly {
  @Cron('0 0 * * 0')
  @OnlyLeader('leaders/hourly')
  override async run(): Promise<string> {
    return `${await super.run()}, too`;
  }
}

@Injectable()
class Lazy {
  @OnlyLeader('leaders/hourly')
  values(): Observable<number> {
    return of(1);
  }
}

/** Another class of the same name. */
function twin(): Provider {
  @Injectable()
  class Twin {
    @OnlyLeader('leaders/hourly')
    async run(): Promise<void> {
      await sleep(1);
    }
  }
  Object.defineProperty(Twin, 'name', { value: 'Hourly' });
  return { provide: 'twin', useClass: Twin };
}

describe('leader election', () => {
  let consul: TestConsul;
  let apps: TestApp[];

  const start = async (
    providers: Provider[] = [],
    options: ConsulModuleOptions = {},
  ): Promise<TestApp & { elections: LeaderElections; events: TimedDiscoveryEvent[] }> => {
    const imports = [
      ConsulModule.forRoot({ agent: { url: consul.url }, ...options }),
      ScheduleModule.forRoot(),
    ];
    const app = await startApp(rootModule(imports, { providers }));
    apps.push(app);
    const events: TimedDiscoveryEvent[] = [];
    app.app.get(DiscoveryEvents).events$.subscribe((event) => events.push(event));
    return { ...app, elections: app.app.get(LeaderElections), events };
  };

  beforeEach(async () => {
    apps = [];
    consul = await startTestConsul();
  });
  afterEach(async () => {
    consul.resume();
    await Promise.all(apps.map(({ app }) => app.close()));
    await consul.stop();
  });

  it('has one leader, whom every process knows, and another one after it has resigned', async () => {
    const all = [await start(), await start(), await start()];
    const elections = all.map((each) => each.elections.of(KEY));
    expect(all[0]?.elections.of(KEY)).toBe(elections[0]);
    const leaders = (): typeof elections => elections.filter(({ isLeader }) => isLeader);
    await eventually(() => leaders().length === 1);
    const [first] = leaders();
    const seen: (LockHolder | undefined)[] = [];
    const subscription = elections[2]?.leader$.subscribe((leader) => seen.push(leader));
    await eventually(() => seen.at(-1)?.pid === process.pid);
    await eventually(() => elections.every(({ leader }) => leader?.pid === process.pid));
    const term = first?.term;
    const began = performance.now();
    await first?.resign();
    expect(first?.isLeader).toBe(false);
    expect(term?.signal.aborted).toBe(true);
    await eventually(() => leaders().length === 1, { every: 1 });
    expect(performance.now() - began).toBeLessThan(10_000); // not after a lease
    const [next] = leaders();
    expect(next).not.toBe(first);
    expect(next?.term?.fence).toBeGreaterThan(term?.fence ?? 0);
    await eventually(() => seen.filter((leader) => leader !== undefined).length > 1);
    // The one that has resigned takes part again.
    await next?.resign();
    await eventually(() => leaders().length === 1);
    await leaders()[0]?.resign();
    await eventually(() => first?.isLeader, { within: 20_000 });
    subscription?.unsubscribe();
    const types = all.flatMap(({ events }) => events.map(({ type }) => type));
    expect(types).toEqual(expect.arrayContaining(['leader.elected', 'leader.resigned']));
  }, 60_000);

  it('hands over at once when the leader shuts down, before its servers are closed', async () => {
    const [one, other] = [await start([], { service: { name: 'reports' } }), await start()];
    const first = one.elections.of(KEY);
    await eventually(() => first.isLeader);
    const second = other.elections.of(KEY);
    let leader: LockHolder | undefined;
    second.leader$.subscribe((now) => (leader = now));
    await one.app.get(RegistrationService).whenRegistered();
    // Written again once the instance is known.
    await eventually(() => leader?.id !== undefined);
    expect(leader).toMatchObject({ service: 'reports', port: one.port });
    let wasUp = false;
    const elected = eventually(
      async () => {
        // It stays until a second after its last call.
        await fetch(`${one.url}/work`);
        if (!second.isLeader) return false;
        wasUp = (await fetch(`${one.url}/health/live`)).ok;
        return true;
      },
      { every: 1 },
    );
    const closed = one.app.close();
    await elected;
    expect(wasUp).toBe(true);
    await closed;
    expect(await thrownBy(async () => one.elections.of('another'))).toMatchObject({ code: 'RK_SHUT_DOWN' });
  });

  it('has no leader any more when its session is gone, and elects again', async () => {
    const { elections, events } = await start([], { locks: { ttl: '10s' } });
    const election = elections.of(KEY);
    await eventually(() => election.isLeader);
    const { term } = election;
    await consul.request('PUT', `/v1/session/destroy/${term?.session}`);
    await eventually(() => !election.isLeader);
    expect(term?.signal.aborted).toBe(true);
    await eventually(() => election.isLeader, { within: 30_000 });
    expect(election.term).not.toBe(term);
    expect(events.map(({ type }) => type)).toContain('leader.lost');
  }, 60_000);

  it('@OnlyLeader runs in the leader only, and its work is waited for when that resigns', async () => {
    const [one, other] = [await start([Reports]), await start([Reports])];
    const reports = [one.app.get(Reports), other.app.get(Reports)];
    const elections = [one.elections.of(KEY), other.elections.of(KEY)];
    await eventually(() => elections.some(({ isLeader }) => isLeader));
    const results = await Promise.all(reports.map((each) => each.write('today')));
    const leader = results.findIndex((result) => result !== undefined);
    expect(results[leader]).toBe('written today');
    expect(results[1 - leader]).toBeUndefined();
    expect(reports[leader]?.fences).toEqual([elections[leader]?.term?.fence]);
    const steps: string[] = [];
    const [leading, following] = [reports[leader], elections[1 - leader]];
    if (!leading) throw new Error('no leader');
    leading.work = async () => {
      const signal = currentLock()?.signal;
      await new Promise((resolve) => signal?.addEventListener('abort', resolve));
      await sleep(100);
      steps.push('ended');
    };
    const working = leading.write('long');
    const elected = eventually(() => following?.isLeader).then(() => steps.push('elected'));
    await elections[leader]?.resign();
    await Promise.all([working, elected]);
    expect(steps).toEqual(['ended', 'elected']);
  });

  it('waits for the work of the leader when the app is closed, before another one leads', async () => {
    const [one, other] = [await start([Reports]), await start()];
    await eventually(() => one.elections.of(KEY).isLeader);
    const following = other.elections.of(KEY);
    const steps: string[] = [];
    one.app.get(Reports).work = async () => {
      await new Promise((resolve) => currentLock()?.signal.addEventListener('abort', resolve));
      await sleep(400);
      steps.push('ended');
    };
    const working = one.app.get(Reports).write('long');
    const elected = eventually(() => following.isLeader, { every: 2 }).then(() => steps.push('elected'));
    await one.app.close();
    await Promise.all([working, elected]);
    expect(steps).toEqual(['ended', 'elected']);
  });

  it('runs a job that calls that of its base class, and refuses what begins after the method has returned', async () => {
    const { app, elections } = await start([Weekly, Lazy]);
    await eventually(() => elections.of('leaders/hourly').isLeader);
    expect(await app.get(Weekly).run()).toBe('ran, too');
    const lazy = await thrownBy(async () => app.get(Lazy).values());
    expect(lazy).toMatchObject({ code: 'RK_INVALID_ARGUMENT' });
    expect(lazy.message).toContain('Lazy.values returns what begins later, without the lock');
  });

  it('runs a @Cron job once for each tick, in whichever order the decorators are', async () => {
    const all = [await start([Ticks]), await start([Ticks]), await start([Ticks])];
    const ticks = all.map(({ app }) => app.get(Ticks));
    const runs = (kind: 'above' | 'below'): number[] => ticks.flatMap((each) => each[kind]).sort();
    await eventually(() => runs('above').length >= 3 && runs('below').length >= 3);
    // Each second once, though the leader changes in between.
    for (const { elections } of all) await elections.of(KEY).resign();
    await eventually(() => runs('above').length >= 7 && runs('below').length >= 7, { within: 20_000 });
    for (const kind of ['above', 'below'] as const) {
      const seconds = runs(kind).map((at) => Math.floor((at + 50) / 1_000));
      expect(new Set(seconds).size).toBe(seconds.length);
    }
    const record = await all[0]?.app.get(ConsulKv).get(`${KEY}/ticks/Ticks.cronAbove`);
    expect(JSON.parse(record?.value ?? '{}')).toMatchObject({ tick: expect.stringMatching(/T.*\.000Z$/) });
    const [first] = all;
    const shown = await (await fetch(`${first?.url}/discovery`)).json();
    expect(shown).toMatchObject({
      elections: {
        elections: [{ key: KEY }],
        jobs: expect.arrayContaining([expect.objectContaining({ job: 'Ticks.cronAbove' })]),
      },
    });
    const skipped = all.map(({ elections }) => elections.jobs.report());
    expect(skipped.flat().some(({ skipped: count }) => count > 0)).toBe(true);
  }, 60_000);

  it('runs a tick once, however late and however often it is called', async () => {
    const { app, elections } = await start([Hourly]);
    await eventually(() => elections.of('leaders/hourly').isLeader);
    const hourly = app.get(Hourly);
    expect(await hourly.run()).toBe('ran');
    await sleep(1_200);
    expect(await hourly.run()).toBeUndefined();
    const record = await app.get(ConsulKv).get('leaders/hourly/ticks/Hourly.run');
    expect(JSON.parse(record?.value ?? '{}')).toMatchObject({ tick: expect.stringMatching(/:00:00\.000Z$/) });
  });

  it('refuses two jobs of one name, which would take ticks from each other', async () => {
    const refused = await thrownBy(() => start([Hourly, twin()]));
    expect(refused).toMatchObject({ code: 'RK_CONFIG_INVALID' });
    expect(refused.message).toContain("@OnlyLeader('leaders/hourly'): two jobs are called Hourly.run");
    for (const wrong of [() => OnlyLeader(''), () => Locked('a//b'), () => Locked('a', { waitFor: NaN })])
      expect(await thrownBy(async () => wrong())).toMatchObject({ code: 'RK_INVALID_ARGUMENT' });
  });

  it('counts the ticks that nobody ran, and tells why', async () => {
    const { app, events, elections } = await start([Ticks]);
    await eventually(() => app.get(Ticks).above.length >= 1);
    // As after an outage: the last tick that was run is a minute ago.
    const past = new Date(Math.floor(Date.now() / 1_000) * 1_000 - 60_000).toISOString();
    await app
      .get(ConsulKv)
      .put(`${KEY}/ticks/Ticks.cronAbove`, JSON.stringify({ tick: past, by: 'orders-1' }));
    await eventually(() => events.some(({ type }) => type === 'schedule.missed'));
    const missed = events.find((event) => event.type === 'schedule.missed');
    expect(missed).toMatchObject({ job: 'Ticks.cronAbove', key: KEY });
    expect((missed as { ticks: number }).ticks).toBeGreaterThanOrEqual(58);
    expect((missed as { reason: string }).reason).toContain(
      `no process led between ${past} (run by orders-1) and `,
    );
    const report = elections.jobs.report().find(({ job }) => job === 'Ticks.cronAbove');
    expect(report?.missed).toBeGreaterThanOrEqual(58);
  });

  it('@Locked admits one call at a time for each key of its arguments', async () => {
    const [one, other] = [await start([Reports]), await start([Reports])];
    const all = [one.app.get(Reports), other.app.get(Reports)];
    let inside = 0;
    let most = 0;
    for (const reports of all)
      reports.work = async () => {
        most = Math.max(most, ++inside);
        await sleep(20);
        inside--;
      };
    const results = await Promise.all(all.flatMap((each) => [each.pay('7', 1), each.pay('7', 2)]));
    expect(most).toBe(1);
    expect(results).toContain('locks/orders/7 2 7');
    await one.app.get(LockService).acquire('locks/orders/8');
    expect(await other.app.get(Reports).pay('9', 3)).toBe('locks/orders/9 3 9');
    expect(await thrownBy(() => new Reports().pay('1', 1))).toMatchObject({
      code: 'RK_INVALID_ARGUMENT',
      message: expect.stringContaining('Reports.pay was called on an object that Nest has not created'),
    });
  });
});
