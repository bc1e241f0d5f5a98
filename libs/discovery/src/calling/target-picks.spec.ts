import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, RecordingLogger, settle } from '@rookery/test-support';
import type { Target } from '../balancing/load-balancer.js';
import { ServiceCatalog } from '../catalog/service-catalog.js';
import { ReconnectSignal } from '../registry/reconnect-signal.js';
import { InMemoryRegistry } from '../testing/in-memory.registry.js';
import type { TrackedTarget } from '../balancing/target/tracked-target.js';
import type { CallDefaults } from './options/call-options.js';
import { ServiceCaller } from './service-caller.js';
import type { AttemptShape, TargetPicks } from './target-picks.js';

const FREE: ReadonlySet<Target> = new Set();
const OK = { error: undefined, isAbandoned: false };

/** As @grpc/grpc-js makes them. */
const statusOf = (code: number, details = 'as it was told'): Error =>
  Object.assign(new Error(`${code} STATUS: ${details}`), { code, details });

describe('TargetPicks', () => {
  let clock: FakeClock;
  let registry: InMemoryRegistry;
  let catalog: ServiceCatalog;
  let caller: ServiceCaller;
  let retried: string[];
  const observer = {
    retried: (service: string) => retried.push(service),
    beginRpc: () => undefined,
    begin: () => undefined,
  };
  beforeEach(() => {
    retried = [];
    clock = new FakeClock();
    registry = new InMemoryRegistry();
    catalog = new ServiceCatalog(registry, {
      clock,
      random: Math.random,
      logger: new RecordingLogger(),
      reconnectSignal: new ReconnectSignal(),
      probe: async () => 'reachable',
      initialListTimeoutMs: 1_000,
    });
    caller = new ServiceCaller(catalog, {
      clock,
      random: Math.random,
      zone: undefined,
      callers: () => undefined,
      probe: undefined,
      emit: () => undefined,
      onUnused: () => undefined,
      observer,
    });
  });
  afterEach(async () => {
    caller.close();
    await catalog.close();
    await settle();
    expect(clock.pending).toBe(0);
  });

  const picksOf = async (ports: readonly number[], defaults?: CallDefaults): Promise<TargetPicks> => {
    for (const port of ports) registry.put({ service: 'library', port });
    const picks = caller.picks('library', undefined, defaults);
    await picks.ready();
    return picks;
  };
  const pick = (picks: TargetPicks, isRetry = false, excluded = FREE): Target => {
    const target = picks.pick({ hashKey: undefined, isRetry, excluded });
    if (target) return target;
    throw new Error('there is none');
  };
  /** An attempt that takes so long. */
  const attempt = async (
    picks: TargetPicks,
    target: Target,
    ms: number,
    shape: AttemptShape = 'unary',
    error?: Error,
  ): Promise<void> => {
    const end = picks.begin(target, shape);
    await clock.advance(ms);
    end({ ...OK, error });
  };
  const portOf = ({ instance }: Target): number => instance.port;

  it('an instance that hangs gets few calls, long before the first of them times out', async () => {
    const picks = await picksOf([1, 2, 3]);
    for (let n = 0; n < 30; n++) await attempt(picks, pick(picks), 2);
    const hanging: ((ending: typeof OK) => void)[] = [];
    for (let n = 0; n < 400; n++) {
      const target = pick(picks);
      if (portOf(target) === 1) {
        hanging.push(picks.begin(target, 'unary'));
        await clock.advance(5);
      } else await attempt(picks, target, 5);
    }
    expect(hanging.length).toBeGreaterThan(0);
    expect(hanging.length).toBeLessThanOrEqual(5);
    for (const end of hanging) end(OK);
  });

  it('a stream that its caller ends says nothing of the instance', async () => {
    const picks = await picksOf([1, 2]);
    const targets = [pick(picks), pick(picks)];
    const [first = pick(picks)] = targets;
    for (let n = 0; n < 12; n++) {
      const end = picks.begin(first, 'stream');
      await clock.advance(1_000);
      end({ ...OK, isAbandoned: true });
    }
    expect((first as TrackedTarget).history.consecutiveFailures).toBe(0);
    expect(first.inFlight).toBe(0);
  });

  it('an open stream is load, and neither it nor its length is a latency', async () => {
    const picks = await picksOf([1]);
    const target = pick(picks);
    await attempt(picks, target, 3);
    const end = picks.begin(target, 'stream');
    await clock.advance(100);
    expect(pick(picks)).toMatchObject({ inFlight: 1 });
    expect(target.latencyMs).toBeLessThanOrEqual(3);
    await clock.advance(3_600_000);
    end(OK);
    expect(target.inFlight).toBe(0);
    expect(target.latencyMs).toBeLessThanOrEqual(3);
    // Of what is not known: longer than an attempt may take.
    await attempt(picks, target, 6_000, 'unknown');
    expect(target.latencyMs).toBeLessThanOrEqual(3);
    await attempt(picks, target, 40, 'unknown');
    expect(target.latencyMs).toBe(40);
  });

  it('a retry goes where no call has just failed, if there is such a place', async () => {
    const picks = await picksOf([1, 2]);
    for (let n = 0; n < 20; n++) {
      const first = pick(picks);
      await attempt(picks, first, 1, 'unary', statusOf(14));
      const second = pick(picks, true);
      expect(portOf(second)).not.toBe(portOf(first));
      await attempt(picks, second, 1);
      await clock.advance(2_000);
    }
    const [only] = [1, 2].map(() => pick(picks, true, new Set([pick(picks)])));
    expect(only).toBeDefined();
  });

  it('judges by status: unavailable is a failure; not found, a cancelled call and a short deadline are none', async () => {
    const picks = await picksOf([1]);
    const target = pick(picks) as Target & { history: { consecutiveFailures: number } };
    await attempt(picks, target, 1);
    for (const error of [statusOf(5), statusOf(3), statusOf(4)]) {
      await attempt(picks, target, 10, 'unary', error);
      expect(target.history.consecutiveFailures).toBe(0);
    }
    const cancelled = picks.begin(target, 'unary');
    cancelled({ error: statusOf(1), isAbandoned: true });
    expect(target.history.consecutiveFailures).toBe(0);
    await attempt(picks, target, 10, 'unary', statusOf(14));
    await attempt(picks, target, 5_000, 'unary', statusOf(4));
    expect(target.history.consecutiveFailures).toBe(2);
    picks.refused(target, 'connect ECONNREFUSED');
    expect(target.history.consecutiveFailures).toBe(3);
    expect(target.inFlight).toBe(0);
  });

  it('explains why there is no instance, and is ready when the registry has answered', async () => {
    const picks = await picksOf([]);
    expect(() => pick(picks)).toThrow('there is none');
    const error = picks.noInstances();
    await clock.advance(1_000);
    expect((await error).code).toBe('RK_NO_INSTANCES');
  });

  it('looks at another one while the oldest call to the first has waited for longer than calls to it take', async () => {
    const picks = await picksOf([1, 2], { strategy: 'round-robin' });
    for (let n = 0; n < 4; n++) await attempt(picks, pick(picks), 30);
    const [slow, other] = [pick(picks), pick(picks)] as [Target, Target];
    expect(slow).not.toBe(other);
    const end = picks.begin(slow, 'unary');
    const taken = (): readonly Target[] => [pick(picks), pick(picks)];
    await clock.advance(30);
    expect(new Set(taken())).toEqual(new Set([slow, other]));
    expect(slow.latencyMs).toBe(30);
    await clock.advance(1);
    // It is the turn of the slow one.
    expect(pick(picks)).toBe(other);
    // As long as it has waited by now.
    expect(slow.latencyMs).toBe(31);
    end(OK);
    expect(new Set(taken())).toEqual(new Set([slow, other]));
    const stream = picks.begin(slow, 'stream');
    await clock.advance(1_000);
    expect(new Set(taken())).toEqual(new Set([slow, other]));
    stream(OK);
  });

  it('does not take ten milliseconds for long, nor look for another where there is one', async () => {
    const fast = await picksOf([1, 2], { strategy: 'round-robin' });
    for (let n = 0; n < 4; n++) await attempt(fast, pick(fast), 1);
    const target = pick(fast);
    const end = fast.begin(target, 'unary');
    await clock.advance(9);
    for (let n = 0; n < 4; n++) pick(fast);
    expect(target.latencyMs).toBe(1);
    await clock.advance(1);
    for (let n = 0; n < 4; n++) pick(fast);
    expect(target.latencyMs).toBe(10);
    end(OK);
    registry.put({ service: 'single', port: 9 });
    const single = caller.picks('single', undefined, undefined);
    await single.ready();
    await attempt(single, pick(single), 1);
    const only = pick(single);
    const ending = single.begin(only, 'unary');
    await clock.advance(500);
    pick(single);
    expect(only.latencyMs).toBe(1);
    ending(OK);
  });

  it('keeps the budget of retries, and tells telemetry of each', async () => {
    const picks = await picksOf([1, 2]);
    const taken = (): number => {
      let count = 0;
      while (picks.takeRetry()) count++;
      return count;
    };
    expect(picks.retryBudget).toEqual({ ratio: 0.2, perSecond: 10 });
    expect(taken()).toBe(10);
    for (let n = 0; n < 20; n++) picks.begin(pick(picks), 'unary')(OK);
    expect(taken()).toBe(4);
    for (let n = 0; n < 20; n++) picks.begin(pick(picks, true), 'unary', true)(OK);
    expect(taken()).toBe(0);
    expect(retried).toEqual(Array(20).fill('library'));
  });

  it('counts what its attempts were in the statistics of the service, and what says nothing in none', async () => {
    const picks = await picksOf([1]);
    const target = pick(picks);
    await attempt(picks, target, 8);
    await attempt(picks, target, 8, 'unary', statusOf(14));
    await attempt(picks, target, 1, 'unary', statusOf(4));
    picks.begin(target, 'unary')({ error: statusOf(1), isAbandoned: true });
    expect(caller.find('library')?.statistics.snapshot).toMatchObject({ calls: 2, failed: 1 });
  });

  it('knows a connection that was refused, and why', async () => {
    const picks = await picksOf([1, 2]);
    const target = pick(picks) as TrackedTarget;
    const other = pick(picks, false, new Set([target]));
    await attempt(picks, other, 1);
    picks.refused(target, 'connect ECONNREFUSED');
    expect(target.history).toMatchObject({ consecutiveFailures: 1, consecutiveRefusals: 1 });
    await attempt(picks, target, 1, 'unary', statusOf(14));
    expect(target.history).toMatchObject({ consecutiveFailures: 2, consecutiveRefusals: 1 });
  });

  it('reads what a server says of its load only where the strategy chooses by it, and not of one that fails', async () => {
    const load = (picks: TargetPicks, error?: Error): number => {
      let reads = 0;
      const reportedInFlight = (): number => {
        reads++;
        return 7;
      };
      picks.begin(pick(picks), 'unary')({ ...OK, error, reportedInFlight });
      return reads;
    };
    const plain = await picksOf([1]);
    expect(load(plain)).toBe(0);
    const picks = caller.picks('library', undefined, { strategy: 'p2c-load' });
    expect(load(picks, statusOf(5))).toBe(0);
    expect(load(picks)).toBe(1);
    expect((pick(picks) as TrackedTarget).reported.inFlight).toBe(7);
    // Not with each response.
    expect(load(picks)).toBe(0);
    await clock.advance(1_000);
    expect(load(picks)).toBe(1);
  });

  it('has the instances of its query only', async () => {
    registry.put({ service: 'library', port: 1, tags: ['blue'] });
    registry.put({ service: 'library', port: 2 });
    const picks = caller.picks('library', { tags: ['blue'] }, undefined);
    expect(picks.service).toBe('library');
    await picks.ready();
    expect(Array.from({ length: 4 }, () => portOf(pick(picks)))).toEqual([1, 1, 1, 1]);
    const ports: number[][] = [];
    const watching = picks
      .watch()
      .subscribe((list) => ports.push(picks.usableOf(list).map(({ port }) => port)));
    watching.unsubscribe();
    expect(ports).toEqual([[1]]);
  });

  it('has nothing to tell where a service has no limits, and there is no telemetry', async () => {
    const picks = await picksOf([1]);
    expect(picks.call({ method: 'library.Library/Find', carries: () => false })).toBeUndefined();
  });

  it('asks for what the strategy needs, the key and the turn, and tries what is ejected only if a retry can follow', async () => {
    const asked: unknown[] = [];
    const picks = await picksOf([1, 2], { retries: 1, strategy: 'round-robin' });
    const { pool } = caller.explain('library', {}) ?? {};
    if (!pool) throw new Error('there is none');
    const original = pool.pick.bind(pool);
    pool.pick = (strategy, request) => {
      asked.push([strategy, request]);
      return original(strategy, request);
    };
    picks.pick({ hashKey: 'a', isRetry: false, excluded: FREE });
    const without = caller.picks('library', undefined, { retries: 0 });
    without.pick({ hashKey: undefined, isRetry: false, excluded: FREE });
    picks.pick({ hashKey: 'a', isRetry: true, excluded: FREE });
    expect(asked).toEqual([
      ['round-robin', { hashKey: 'a', attempt: 0, mayTry: 'yes', tried: FREE }],
      [expect.any(String), { hashKey: undefined, attempt: 0, mayTry: 'if-overdue', tried: FREE }],
      ['round-robin', { hashKey: 'a', attempt: 1, mayTry: 'no', tried: FREE }],
    ]);
    // All have just failed: one of them it is, as for a first attempt, without the excluded one.
    for (const target of pool.usable) await attempt(picks, target, 1, 'unary', statusOf(14));
    asked.length = 0;
    const [first] = pool.usable;
    const excluded: ReadonlySet<Target> = new Set(first ? [first] : []);
    picks.pick({ hashKey: 'a', isRetry: true, excluded });
    expect(asked).toEqual([
      ['round-robin', { hashKey: 'a', attempt: 1, mayTry: 'no', tried: new Set(pool.usable) }],
      ['round-robin', { hashKey: 'a', attempt: 0, mayTry: 'no', tried: excluded }],
    ]);
  });

  it('tells why an attempt failed, and whether nothing was sent', async () => {
    const picks = await picksOf([1, 2]);
    const { pool } = caller.explain('library', {}) ?? {};
    if (!pool) throw new Error('there is none');
    const told: unknown[] = [];
    const original = pool.report.bind(pool);
    pool.report = (target, ms, outcome, details) => {
      told.push([ms, outcome, details]);
      original(target, ms, outcome, details);
    };
    const target = pick(picks);
    const notConnected = Object.assign(statusOf(14, 'No connection established'), {
      metadata: { getMap: () => ({}) },
    });
    await attempt(picks, target, 3);
    await attempt(picks, target, 3, 'unary', statusOf(14, 'busy'));
    await attempt(picks, target, 3, 'unary', notConnected);
    await attempt(picks, target, 3, 'unary', statusOf(5));
    await attempt(picks, target, 2_499, 'unary', statusOf(4));
    await attempt(picks, target, 2_500, 'unary', statusOf(4));
    picks.begin(target, 'unary')({ ...OK, isAbandoned: true });
    picks.refused(target, 'connect ECONNREFUSED');
    const no = { isRefusal: false };
    expect(told).toEqual([
      [3, 'success', { reason: '', ...no }],
      [3, 'failure', { reason: expect.stringContaining('busy'), ...no }],
      [3, 'failure', { reason: expect.stringContaining('No connection'), isRefusal: true }],
      [3, expect.any(String), { reason: expect.stringContaining('5 STATUS'), ...no }],
      [2_499, 'abandoned', { reason: expect.stringContaining('4 STATUS'), ...no }],
      [2_500, 'failure', { reason: expect.stringContaining('4 STATUS'), ...no }],
      [0, 'abandoned', { reason: 'its caller gave up', ...no }],
      [0, 'failure', { reason: 'connect ECONNREFUSED', isRefusal: true }],
    ]);
  });

  it('forgets what is no longer under way', async () => {
    const picks = await picksOf([1, 2], { strategy: 'round-robin' });
    for (let n = 0; n < 4; n++) await attempt(picks, pick(picks), 10);
    const [slow, other] = [pick(picks), pick(picks)];
    const first = picks.begin(slow, 'unary');
    await clock.advance(5);
    const second = picks.begin(slow, 'unary');
    await clock.advance(5);
    const third = picks.begin(slow, 'unary');
    // The one in between ends first; the oldest is overdue then, as before.
    second(OK);
    await clock.advance(25);
    expect(pick(picks)).toBe(other);
    first(OK);
    third(OK);
    const next = new Set([pick(picks), pick(picks)]);
    expect(next.size).toBe(2);
  });

  it('tells of a call only where its service has limits, or there is telemetry', async () => {
    const picks = await picksOf([1]);
    const rpc = { method: 'library.Library/Find', carries: () => false };
    expect(picks.call(rpc)).toBeUndefined();
  });
});
