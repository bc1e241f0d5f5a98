import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '@rookery/test-support';
import type { InstanceProbe } from '../registry/instance-probe.js';
import { createSnapshot, type ServiceSnapshot } from '../catalog/service-snapshot.js';
import { NO_CHANGES } from '../catalog/diff-lists.js';
import type { ProbeResult } from '../registry/tcp-probe.js';
import type { DiscoveryEvent } from '../events/discovery-event.js';
import { InMemoryRegistry } from '../testing/in-memory.registry.js';
import type { ServiceInstance } from '../registry/service-instance.js';
import { OUTLIER_DEFAULTS } from './outliers/outlier-rules.js';
import { LoadBalancer, type Target } from './load-balancer.js';
import type { Strategy } from './strategies/strategies.js';
import { TargetPool, type PoolOptions } from './target-pool.js';
import { ReportedLoad } from './target/reported-load.js';
import type { TrackedTarget } from './target/tracked-target.js';

function instance(n: number, more: Partial<ServiceInstance> = {}): ServiceInstance {
  return new InMemoryRegistry().put({ service: 's', id: `i${n}`, port: 1_000 + n, node: 'n', ...more });
}

function listOf(instances: readonly ServiceInstance[]): ServiceSnapshot {
  return createSnapshot({
    service: 's',
    instances,
    suspects: [],
    unreachable: [],
    changes: NO_CHANGES,
    version: 1,
    source: 'live',
    receivedAt: 0,
    ageMs: () => 0,
  });
}

const many = (count: number, more: Partial<ServiceInstance> = {}): ServiceInstance[] =>
  Array.from({ length: count }, (_, n) => instance(n, more));
const FAILED = { reason: 'status 503', isRefusal: false };
const REFUSED = { reason: 'connect ECONNREFUSED', isRefusal: true };

describe('TargetPool', () => {
  let clock: FakeClock;
  let pool: TargetPool;
  let events: DiscoveryEvent[];
  let unused: string[];
  const create = (options: Partial<PoolOptions> = {}): TargetPool => {
    let state = 1;
    return new TargetPool('s', undefined, {
      clock,
      random: () => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647,
      outlierRules: OUTLIER_DEFAULTS,
      slowStart: true,
      zone: undefined,
      callers: () => undefined,
      probe: undefined,
      emit: (event) => events.push(event),
      onUnused: ({ id }) => unused.push(id),
      ...options,
    });
  };
  const find = (n: number): TrackedTarget => {
    const found = pool.find({ id: `i${n}`, node: 'n', datacenter: 'dc1' });
    if (!found) throw new Error(`no target ${n}`);
    return found;
  };
  const pick = (strategy: Strategy = 'round-robin', isSafe = true): TrackedTarget | undefined =>
    pool.pick(strategy, {
      attempt: 0,
      hashKey: undefined,
      tried: new Set(),
      mayTry: isSafe ? 'yes' : 'if-overdue',
    });
  const picks = (count: number, strategy: Strategy = 'round-robin'): string[] =>
    Array.from({ length: count }, () => pick(strategy)?.instance.id ?? '');
  const call = (target: TrackedTarget, outcome: 'success' | 'failure', details = FAILED): void => {
    pool.begin(target);
    pool.report(target, 3, outcome, details);
  };
  /** Fails often enough in a row to be ejected, while another one succeeds. */
  const eject = (n: number, other: number, details = FAILED): void => {
    for (let failure = 0; failure < 5; failure++) {
      call(find(n), 'failure', details);
      call(find(other), 'success');
    }
    call(find(n), 'failure', details);
  };
  const types = (): string[] => events.map(({ type }) => type);

  beforeEach(() => {
    clock = new FakeClock();
    events = [];
    unused = [];
    pool = create();
    pool.update(listOf(many(4)));
  });
  afterEach(() => {
    pool.close();
    expect(clock.pending).toBe(0);
  });

  it('keeps the state of an instance over a new list, and forgets an instance that left or moved', () => {
    const before = find(1);
    call(before, 'success');
    pool.update(listOf([instance(0), instance(1, { tags: ['new'] }), instance(2, { port: 9 })]));
    expect(find(1)).toBe(before);
    expect(find(1)).toMatchObject({ latencyMs: 3, instance: { tags: ['new'] } });
    expect(() => find(3)).toThrow();
    expect(find(2).joinedAt).toBe(0);
    expect(unused).toEqual(['i2', 'i3']);
  });

  it('ejects after five consecutive failures, for 30 s, and notifies the owner of its connections', async () => {
    for (let n = 0; n < 4; n++) call(find(0), 'failure');
    call(find(1), 'success');
    call(find(0), 'success');
    for (let n = 0; n < 4; n++) call(find(0), 'failure');
    call(find(1), 'success');
    expect(types()).toEqual([]);
    call(find(0), 'failure');
    expect(events).toMatchObject([
      { type: 'instance.ejected', id: 'i0', reason: '5 consecutive failures, the last one: status 503' },
    ]);
    expect(unused).toEqual(['i0']);
    expect(new Set(picks(50))).toEqual(new Set(['i1', 'i2', 'i3']));
    await clock.advance(25_000);
    expect(picks(50)).not.toContain('i0');
  });

  it('ends the ejection after one half-open call that succeeds, and not after one that fails', async () => {
    eject(0, 1);
    await clock.advance(35_000);
    const proving = pick();
    expect(proving).toBe(find(0));
    pool.begin(find(0));
    // One, not more.
    expect(picks(50)).not.toContain('i0');
    pool.report(find(0), 3, 'failure', FAILED);
    expect(types()).toEqual(['instance.ejected', 'instance.ejected']);
    expect(events[1]).toMatchObject({ reason: 'trial call failed: status 503' });
    await clock.advance(40_000);
    expect(picks(50)).not.toContain('i0');
    await clock.advance(40_000);
    expect(pick()).toBe(find(0));
    call(find(0), 'success');
    expect(types().at(-1)).toBe('instance.unejected');
    expect(picks(8)).toContain('i0');
  });

  it('prefers a replayable call as the half-open one', async () => {
    eject(0, 1);
    await clock.advance(34_000);
    expect(pick('round-robin', false)).not.toBe(find(0));
    await clock.advance(12_000);
    expect(pick('round-robin', false)).toBe(find(0));
  });

  it('tries again when the half-open call was abandoned', async () => {
    eject(0, 1);
    await clock.advance(35_000);
    pool.begin(find(0));
    pool.report(find(0), 3, 'ignored', FAILED);
    expect(pick()).toBe(find(0));
  });

  it('F34 ejects no instance where all fail', () => {
    for (let round = 0; round < 20; round++) for (let n = 0; n < 4; n++) call(find(n), 'failure');
    expect(types()).toEqual([]);
    expect(new Set(picks(40)).size).toBe(4);
  });

  it('ejects no more than half of a small service, and ends ejections beyond the limit when the list shrinks', () => {
    eject(0, 3);
    eject(1, 3);
    eject(2, 3);
    expect(types().filter((type) => type === 'instance.ejected')).toHaveLength(2);
    pool.update(listOf([instance(0), instance(1), instance(3)]));
    expect(types().at(-1)).toBe('instance.unejected');
    pool.update(listOf([instance(1)]));
    expect(picks(3)).toEqual(['i1', 'i1', 'i1']);
  });

  it('F34 panic: calls ejected instances as well when fewer than half are left, and says so', () => {
    eject(0, 1);
    pool.update(
      listOf([
        instance(0),
        instance(1),
        ...many(4)
          .slice(2)
          .map((each) => ({ ...each, status: 'critical' as const })),
      ]),
    );
    expect(events.at(-1)).toMatchObject({ type: 'service.panic', available: 1, instances: 4 });
    expect(new Set(picks(20))).toEqual(new Set(['i0', 'i1']));
    pool.update(listOf(many(4)));
    expect(types().at(-1)).toBe('service.panicEnded');
    expect(picks(20)).not.toContain('i0');
  });

  it('is in no panic when nothing is ejected, however many the registry reports as critical', () => {
    pool.update(
      listOf(many(4).map((each, n) => (n === 0 ? each : { ...each, status: 'critical' as const }))),
    );
    expect(types()).toEqual([]);
    expect(new Set(picks(20))).toEqual(new Set(['i0']));
  });

  it('F43 counts a 500 in comparisons only, and abandoned calls from the third in a row', () => {
    const serverError = (): void => {
      pool.begin(find(0));
      pool.report(find(0), 3, 'server-error', FAILED);
    };
    serverError();
    expect(find(0).latencyMs).toBeCloseTo(53);
    for (let n = 0; n < 99; n++) serverError();
    expect(find(0)).toMatchObject({ history: { consecutiveFailures: 0, failures: 100 } });
    expect(find(0).latencyMs).toBeGreaterThan(950);
    call(find(1), 'success');
    const abandon = (elapsedMs: number): void => {
      pool.begin(find(1));
      pool.report(find(1), elapsedMs, 'abandoned', FAILED);
    };
    // Before the usual latency: that says nothing.
    for (let n = 0; n < 9; n++) abandon(1);
    expect(find(1)).toMatchObject({ latencyMs: 3, history: { consecutiveFailures: 0 } });
    for (let n = 0; n < 3; n++) abandon(300);
    expect(find(1).history.consecutiveFailures).toBe(1);
    expect(find(1).latencyMs).toBeGreaterThanOrEqual(300);
    call(find(1), 'success');
    expect(find(1).history.consecutiveFailures).toBe(0);
  });

  it('backs off from an instance that asks for it with Retry-After, and needs no half-open call afterwards', async () => {
    pool.backOff(find(2), 'it asked for a pause with status 429', 5_000);
    expect(picks(20)).not.toContain('i2');
    await clock.advance(7_000);
    expect(types()).toEqual(['instance.ejected', 'instance.unejected']);
    expect(picks(20)).toContain('i2');
  });

  it('avoids an instance that only fails while there is another one, although the ejection limit is reached', () => {
    for (let n = 0; n < 3; n++) eject(n, 3);
    expect(types().filter((type) => type === 'instance.ejected')).toHaveLength(2);
    expect(new Set(picks(20))).toEqual(new Set(['i3']));
    const tried = new Set([find(3)]);
    const request = { attempt: 1, hashKey: undefined, tried, mayTry: 'no' } as const;
    expect(pool.pick('round-robin', request)).toBeUndefined();
  });

  it('F34 notices within a second that failing instances which it could not eject have recovered', async () => {
    for (let round = 0; round < 6; round++) for (let n = 0; n < 4; n++) call(find(n), 'failure');
    call(find(3), 'success');
    expect(new Set(picks(8))).toEqual(new Set(['i3']));
    await clock.advance(1_000);
    expect(new Set(picks(8)).size).toBe(4);
  });

  it('backs off from an instance that cannot be ejected, unless all have asked for it', async () => {
    for (let n = 0; n < 3; n++) pool.backOff(find(n), 'it asked', 3_000);
    expect(types()).toEqual(['instance.ejected', 'instance.ejected']);
    expect(new Set(picks(20))).toEqual(new Set(['i3']));
    pool.backOff(find(3), 'it asked', 3_000);
    expect(new Set(picks(20)).size).toBeGreaterThan(0);
    await clock.advance(5_000);
    expect(new Set(picks(20)).size).toBe(4);
  });

  it('has turns of its own, whatever other clients of other services do', () => {
    const other = create();
    other.update(listOf(many(2)));
    const request = {
      attempt: 0,
      hashKey: undefined,
      tried: new Set<TrackedTarget>(),
      mayTry: 'yes',
    } as const;
    const seen = Array.from({ length: 8 }, () => {
      const picked = pick();
      other.pick('round-robin', request);
      return picked?.instance.id;
    });
    for (const id of ['i0', 'i1', 'i2', 'i3']) expect(seen.filter((each) => each === id)).toHaveLength(2);
    other.close();
  });

  it('keeps retries out of the round-robin sequence of calls', () => {
    const first: string[] = [];
    for (let n = 0; n < 12; n++) {
      const picked = pick();
      first.push(picked?.instance.id ?? '');
      const request = { attempt: 1, hashKey: undefined, mayTry: 'no' } as const;
      if (picked === find(1)) pool.pick('round-robin', { ...request, tried: new Set([picked]) });
    }
    expect(first.filter((id) => id === 'i2')).toHaveLength(3);
  });

  it('ejects by success rate where the others are better', async () => {
    pool.update(listOf(many(6)));
    for (let round = 0; round < 200; round++)
      for (let n = 0; n < 6; n++) call(find(n), n === 0 && round % 3 === 0 ? 'failure' : 'success');
    pick();
    await clock.advance(11_000);
    expect(events).toMatchObject([
      {
        type: 'instance.ejected',
        id: 'i0',
        reason: expect.stringMatching(/success rate of 67 %/) as unknown,
      },
    ]);
  });

  it('ejects no instance where outlier detection is off', () => {
    pool.close();
    pool = create({ outlierRules: undefined });
    pool.update(listOf(many(4)));
    eject(0, 1);
    expect(types()).toEqual([]);
  });

  it('picks an instance that the call has not tried, whatever the strategy picks', () => {
    class Stubborn extends LoadBalancer {
      override pick(targets: readonly Target[]): Target | undefined {
        return targets[0];
      }
    }
    const tried = new Set<TrackedTarget>();
    for (let n = 0; n < 4; n++) {
      const next = pool.pick(Stubborn, { attempt: n, hashKey: undefined, tried, mayTry: 'yes' });
      expect(next).toBeDefined();
      if (next) tried.add(next);
    }
    expect(tried.size).toBe(4);
    expect(pool.pick(Stubborn, { attempt: 4, hashKey: undefined, tried, mayTry: 'yes' })).toBeUndefined();
  });

  it('ignores a custom strategy that picks an unlisted target', () => {
    class Wrong extends LoadBalancer {
      override pick(): Target | undefined {
        return {
          instance: instance(99),
          weight: 1,
          inFlight: 0,
          latencyMs: 0,
          successRate: 1,
          hasSucceeded: true,
          reported: new ReportedLoad(),
        };
      }
    }
    expect(pool.active).toContain(pick(Wrong));
  });

  it('ignores a custom strategy that picks a target of before, which takes no calls any more', () => {
    class Faithful extends LoadBalancer {
      #first: Target | undefined;

      override pick(targets: readonly Target[]): Target | undefined {
        return (this.#first ??= targets[0]);
      }
    }
    const first = pick(Faithful)?.instance.id;
    expect(pick(Faithful)?.instance.id).toBe(first);
    pool.update(
      listOf(many(4).map((each) => (each.id === first ? { ...each, status: 'maintenance' } : each))),
    );
    for (let n = 0; n < 20; n++) expect(pick(Faithful)?.instance.id).not.toBe(first);
  });

  it('picks an instance although a custom strategy throws, and logs it once', () => {
    class Thrower extends LoadBalancer {
      override pick(): never {
        throw new Error('no idea');
      }
    }
    for (let n = 0; n < 5; n++) expect(pool.active).toContain(pick(Thrower));
    expect(events).toEqual([
      { type: 'strategy.failed', service: 's', strategy: 'Thrower', reason: 'no idea' },
    ]);
  });

  it('picks an instance although the constructor of a custom strategy throws, as for retries, which have one of their own', () => {
    let made = 0;
    class Once extends LoadBalancer {
      constructor() {
        super();
        if (++made > 1) throw new Error('the metric is there');
      }
      override pick(targets: readonly Target[]): Target | undefined {
        return targets[0];
      }
    }
    for (const attempt of [0, 1, 1]) {
      const request = {
        attempt,
        hashKey: undefined,
        tried: new Set<TrackedTarget>(),
        mayTry: 'yes',
      } as const;
      expect(pool.active).toContain(pool.pick(Once, request));
    }
    expect(made).toBe(2);
    expect(events).toEqual([
      { type: 'strategy.failed', service: 's', strategy: 'Once', reason: 'the metric is there' },
    ]);
  });

  it('gives a new instance a tenth of its share at first, and the full share after 30 s', async () => {
    pool.update(listOf(many(5)));
    expect(find(4).weight).toBe(0.1);
    const share = (): number => picks(4_000, 'weighted-random').filter((id) => id === 'i4').length / 4_000;
    expect(share()).toBeLessThan(0.06);
    await clock.advance(16_000);
    expect(find(4).weight).toBeCloseTo(0.5, 1);
    await clock.advance(16_000);
    expect(find(4).weight).toBe(1);
    expect(share()).toBeGreaterThan(0.15);
  });

  it('sends nothing to an instance of weight 0, unless all have weight 0', () => {
    pool.update(listOf([instance(0), instance(1, { weight: 0 })]));
    expect(new Set(picks(10))).toEqual(new Set(['i0']));
    pool.update(listOf([instance(1, { weight: 0 })]));
    expect(picks(2)).toEqual(['i1', 'i1']);
  });

  it('F36 stays in its own zone, spills what that cannot take, and still keeps keys together', () => {
    pool.close();
    pool = create({ zone: 'a' });
    const zoned = many(19).map((each, n) => ({ ...each, zone: n === 0 ? 'a' : n < 10 ? 'b' : 'c' }));
    pool.update(listOf(zoned));
    const share = picks(6_000, 'random').filter((id) => id === 'i0').length / 6_000;
    expect(share).toBeCloseTo(3 / 19, 1);
    pool.update(listOf(zoned.map((each, n) => ({ ...each, zone: n < 9 ? 'a' : each.zone }))));
    expect(picks(500).every((id) => Number(id.slice(1)) < 9)).toBe(true);
    expect(new Set(picks(500, 'consistent-hash')).size).toBeGreaterThan(9);
  });

  it('calls a subset of at most a hundred instances of a large service', () => {
    pool.update(listOf(many(1_000)));
    expect(new Set(picks(3_000)).size).toBe(100);
    expect(new Set(picks(3_000, 'consistent-hash')).size).toBeGreaterThan(100);
  });

  it('notices that a slow instance is fast again, at the cost of one call in 400', async () => {
    const fast = (target: TrackedTarget, ms: number): void => {
      pool.begin(target);
      pool.report(target, ms, 'success', FAILED);
    };
    for (let n = 0; n < 4; n++) fast(find(n), n === 0 ? 100 : 3);
    let slow = 0;
    for (let second = 0; second < 20; second++) {
      for (let n = 0; n < 100; n++) {
        const picked = pick('p2c-ewma');
        if (!picked) throw new Error('no target');
        if (picked === find(0)) slow++;
        fast(picked, picked === find(0) ? 100 : 3);
      }
      await clock.advance(1_000);
    }
    expect(slow).toBeGreaterThan(0);
    expect(slow).toBeLessThanOrEqual(2_000 / 400);
    for (let second = 0; second < 15; second++) {
      for (let n = 0; n < 100; n++) {
        const picked = pick('p2c-ewma');
        if (picked) fast(picked, 3);
      }
      await clock.advance(1_000);
    }
    const back = picks(1_000, 'p2c-ewma').filter((id) => id === 'i0').length;
    expect(back).toBeGreaterThan(150);
  });

  it('says why a target that could take calls gets none', () => {
    const listed = [
      instance(0, { zone: 'a' }),
      instance(1, { zone: 'a', weight: 0 }),
      instance(2, { zone: 'a' }),
    ];
    pool.update(listOf(listed));
    expect([0, 1, 2].map((n) => pool.exclusionOf(find(n)))).toEqual([
      undefined,
      { state: 'zero-weight', reason: 'its weight is 0, and others have more' },
      undefined,
    ]);
    eject(2, 0);
    expect(pool.exclusionOf(find(2))).toBeUndefined();
    pool.close();
    const zones = ['a', 'a', 'a', 'b', 'b', 'b'].map((zone, n) => instance(n, { zone }));
    pool = create({
      zone: 'a',
      callers: () =>
        new Map([
          ['a', 3],
          ['b', 3],
        ]),
    });
    pool.update(listOf([...zones, instance(6)]));
    expect(pool.exclusionOf(find(0))).toBeUndefined();
    expect(pool.exclusionOf(find(4))).toEqual({
      state: 'other-zone',
      reason: 'calls stay in the zone a, which has the capacity for them',
    });
    pool.close();
    pool = create();
    pool.update(listOf(many(150)));
    const excluded = many(150).flatMap((_, n) => pool.exclusionOf(find(n)) ?? []);
    expect(excluded).toHaveLength(50);
    expect(excluded[0]).toEqual({
      state: 'outside-subset',
      reason: 'this app calls 100 of 150 instances, and other apps call this one',
    });
  });

  it('counts a response that is still read as load, until it is released, once', () => {
    const release = pool.hold(find(0));
    const other = pool.hold(find(0));
    expect(find(0).inFlight).toBe(2);
    release();
    release();
    expect(find(0).inFlight).toBe(1);
    other();
    expect(find(0).inFlight).toBe(0);
  });

  it('gives an ejected instance calls again when an operator says so, and forgets that it asked for none', () => {
    pool.backOff(find(0), 'Retry-After', 60_000);
    expect(new Set(picks(20))).toEqual(new Set(['i1', 'i2', 'i3']));
    expect(pool.uneject('i9', 'by hand')).toBe(false);
    expect(pool.uneject('i1', 'by hand')).toBe(false);
    expect(pool.uneject('i0', 'by hand')).toBe(true);
    expect(events.at(-1)).toMatchObject({ type: 'instance.unejected', id: 'i0', reason: 'by hand' });
    expect(new Set(picks(20))).toEqual(new Set(['i0', 'i1', 'i2', 'i3']));
  });

  it('has no use for what calls to an instance that left tell', () => {
    const left = find(0);
    pool.begin(left);
    pool.update(listOf(many(4).slice(1)));
    expect(left.isListed).toBe(false);
    for (let n = 0; n < 5; n++) {
      call(find(1), 'success');
      call(left, 'failure');
    }
    pool.backOff(left, 'Retry-After', 1_000);
    expect(left.backOffUntil).toBe(-Infinity);
    expect(types()).toEqual([]);
  });

  it('believes the load that an instance reports, unless it fails; what is special about it fades, and it expires', async () => {
    for (const inFlight of [4, 40]) pool.observeLoad(find(0), inFlight);
    expect(find(0).reported).toMatchObject({ inFlight: 40, isKnown: true });
    call(find(1), 'failure');
    pool.observeLoad(find(1), 40);
    expect(find(1).reported.isKnown).toBe(false);
    const special = find(0).reported.queuePercent;
    expect(special).toBeGreaterThan(100);
    await clock.advance(100);
    const faded = find(0).reported.queuePercent;
    expect(faded - 100).toBe(Math.trunc((special - 100) / 2));
    await clock.advance(60_000);
    expect(find(0).reported).toMatchObject({ isKnown: false, queuePercent: 100 });
  });

  it('asks servers for their load between calls where the strategy needs it', async () => {
    pool.close();
    const asked: string[] = [];
    const loadProbes = {
      perSecond: 20,
      ask: ({ id }: ServiceInstance) => {
        asked.push(id);
        return Promise.resolve('TEXT named_metrics.in_flight=7');
      },
    };
    pool = create({ loadProbes });
    pool.update(listOf(many(4)));
    pick('p2c-load');
    await clock.advance(1_000);
    expect(asked).toEqual([]);
    pick('prequal');
    await clock.advance(1_000);
    expect(asked.length).toBeGreaterThan(5);
    expect(many(4).some((_, n) => find(n).reported.inFlight === 7)).toBe(true);
  });

  it('reads where its callers are every ten seconds', async () => {
    pool.close();
    let reads = 0;
    const callers = (): ReadonlyMap<string, number> => {
      reads++;
      return new Map([['a', 1]]);
    };
    pool = create({ zone: 'a', callers, slowStart: false });
    pool.update(listOf(many(6, { zone: 'a' })));
    expect(reads).toBe(1);
    pool.begin(find(0));
    await clock.advance(9_000);
    expect(reads).toBe(1);
    await clock.advance(1_000);
    expect(reads).toBe(2);
    await clock.advance(10_000);
    expect(reads).toBe(3);
    pool.report(find(0), 1, 'success', FAILED);
    pool.close();
    const without = create({ callers, slowStart: false });
    without.update(listOf(many(6, { zone: 'a' })));
    await clock.advance(20_000);
    without.close();
    expect(reads).toBe(3);
  });

  it('has no timer left after a while without calls', async () => {
    pick();
    expect(clock.pending).toBe(1);
    await clock.advance(30_000);
    expect(clock.pending).toBe(0);
  });

  describe('with a TCP probe', () => {
    let probeResult: ProbeResult;
    let probed: string[];
    const probe: InstanceProbe = async ({ id }) => {
      probed.push(id);
      return probeResult;
    };
    beforeEach(() => {
      pool.close();
      probeResult = 'refused';
      probed = [];
      pool = create({ probe });
      pool.update(listOf(many(4)));
    });

    it('F18 spends one call on an instance that refuses connections, and none on its return', async () => {
      call(find(0), 'failure', REFUSED);
      for (let second = 0; second < 6; second++) {
        call(find(1), 'success');
        await clock.advance(1_000);
      }
      expect(types()).toEqual(['instance.ejected', 'instance.ghost']);
      expect(events[1]).toMatchObject({
        id: 'i0',
        reason: 'the registry reports it as passing',
      });
      await clock.advance(120_000);
      expect(new Set(probed)).toEqual(new Set(['i0']));
      expect(new Set(picks(50))).toEqual(new Set(['i1', 'i2', 'i3']));
      probeResult = 'reachable';
      await clock.advance(300_000);
      expect(pick()).toBe(find(0));
    });

    it('ends the ejection as soon as the instance accepts connections again', async () => {
      eject(0, 1, REFUSED);
      await clock.advance(4_000);
      probeResult = 'reachable';
      await clock.advance(8_000);
      expect(pick()).toBe(find(0));
      call(find(0), 'success');
      expect(types().at(-1)).toBe('instance.unejected');
      // An instance that failed in another way stays ejected for its time.
      eject(1, 2);
      await clock.advance(12_000);
      expect(picks(20)).not.toContain('i1');
    });

    it('ejects no instance that accepts the probe', async () => {
      probeResult = 'reachable';
      call(find(0), 'failure', REFUSED);
      await clock.advance(10_000);
      await settle();
      expect(probed).toEqual(['i0']);
      expect(types()).toEqual([]);
    });

    it('probes at once when the registry reports an ejected instance as recovered', async () => {
      eject(0, 1);
      pool.update(listOf([instance(0, { status: 'critical' }), ...many(4).slice(1)]));
      probeResult = 'reachable';
      pool.update(listOf(many(4)));
      await clock.advance(2_000);
      expect(pick()).toBe(find(0));
    });
  });
});
