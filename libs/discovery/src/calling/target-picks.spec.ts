import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, RecordingLogger, settle } from '@rookery/test-support';
import type { Target } from '../balancing/load-balancer.js';
import { ServiceCatalog } from '../catalog/service-catalog.js';
import { ReconnectSignal } from '../registry/reconnect-signal.js';
import { InMemoryRegistry } from '../testing/in-memory.registry.js';
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
  beforeEach(() => {
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
    });
  });
  afterEach(async () => {
    caller.close();
    await catalog.close();
    await settle();
    expect(clock.pending).toBe(0);
  });

  const picksOf = async (ports: readonly number[]): Promise<TargetPicks> => {
    for (const port of ports) registry.put({ service: 'library', port });
    const picks = caller.picks('library', undefined, undefined);
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
});
