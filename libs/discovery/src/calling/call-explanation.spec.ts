import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock } from '@rookery/test-support';
import { OUTLIER_DEFAULTS } from '../balancing/outliers/outlier-rules.js';
import { TargetPool } from '../balancing/target-pool.js';
import type { TrackedTarget } from '../balancing/target/tracked-target.js';
import { NO_CHANGES } from '../catalog/diff-lists.js';
import type { ServiceExplanation } from '../catalog/explanation.js';
import { createSnapshot } from '../catalog/service-snapshot.js';
import { InMemoryRegistry } from '../testing/in-memory.registry.js';
import { withCalls } from './call-explanation.js';
import type { ServiceCaller } from './service-caller.js';

describe('the explanation of calls', () => {
  let clock: FakeClock;
  let pool: TargetPool;
  let explanation: ServiceExplanation;
  const find = (n: number): TrackedTarget => {
    const found = pool.find({ id: `i${n}`, node: 'n', datacenter: 'dc1' });
    if (!found) throw new Error(`no target ${n}`);
    return found;
  };
  const explained = (limits?: object): ServiceExplanation =>
    withCalls(explanation, { now: () => clock.now() } as ServiceCaller, { pool, limits } as never);

  beforeEach(async () => {
    clock = new FakeClock();
    await clock.advance(5_000);
    const instances = [0, 1, 2, 3].map((n) =>
      new InMemoryRegistry().put({ service: 's', id: `i${n}`, port: n + 1, node: 'n' }),
    );
    pool = new TargetPool('s', undefined, {
      ...{ clock, outlierRules: OUTLIER_DEFAULTS, slowStart: true, zone: undefined, probe: undefined },
      ...{ random: () => 0.5, callers: () => undefined, emit: () => undefined, onUnused: () => undefined },
    });
    const list = { service: 's', instances, suspects: [], unreachable: [], changes: NO_CHANGES };
    pool.update(createSnapshot({ ...list, version: 1, source: 'live', receivedAt: 0, ageMs: () => 0 }));
    explanation = {
      service: 's',
      instances: [
        ...instances.map(({ id }) => ({ id, node: 'n', datacenter: 'dc1', state: 'eligible' })),
        { id: 'unknown', node: 'n', datacenter: 'dc1', state: 'critical' },
      ],
    } as unknown as ServiceExplanation;
  });
  afterEach(() => pool.close());

  it('has what calls have learned of each instance, in numbers that can be read', () => {
    const target = find(0);
    for (const elapsedMs of [2, 1.234_567]) {
      pool.begin(target);
      pool.report(target, elapsedMs, 'success', { reason: '', isRefusal: false });
    }
    pool.begin(target);
    target.history.serverFailed();
    pool.observeLoad(target, 4);
    pool.observeLoad(target, 7);
    const { instances, service } = explained();
    expect(service).toBe('s');
    expect(instances[0]).toEqual({
      ...{ id: 'i0', node: 'n', datacenter: 'dc1', state: 'eligible' },
      calls: {
        ...{ inFlight: 1, latencyMs: 2, successRate: 0.95, weight: 1 },
        reported: { inFlight: 7, averageInFlight: 4.3, ageMs: 0 },
      },
    });
    expect(instances[1]?.calls).toEqual({ inFlight: 0, latencyMs: 0, successRate: 1, weight: 1 });
    expect(instances[4]).toEqual({ id: 'unknown', node: 'n', datacenter: 'dc1', state: 'critical' });
    expect(explained()).not.toHaveProperty('limits');
    expect(explained({ circuit: 'open' })).toHaveProperty('limits', { circuit: 'open' });
  });

  it('says why an instance is ejected, and for how much longer', async () => {
    pool.backOff(find(1), '5 failures');
    await clock.advance(8_000);
    const stateOf = (n: number): unknown => {
      const { state, reason } = explained().instances[n] as { state: string; reason?: string };
      return [state, reason];
    };
    expect(stateOf(1)).toEqual(['ejected', '5 failures; no calls for 22 s more']);
    expect(stateOf(0)).toEqual(['eligible', undefined]);
    await clock.advance(22_000);
    expect(stateOf(1)).toEqual(['ejected', '5 failures; no calls until a trial call succeeds']);
    await clock.advance(60_000);
    expect(stateOf(1)).toEqual(['ejected', '5 failures; no calls until a trial call succeeds']);
  });

  it('says nothing of ejections in a panic, in which they have no effect', () => {
    const instances = [0, 1, 2, 3, 4].map((n) =>
      new InMemoryRegistry().put({
        service: 's',
        id: `i${n}`,
        port: n + 1,
        node: 'n',
        ...(n > 3 ? { status: 'critical' as const } : {}),
      }),
    );
    const list = { service: 's', instances, suspects: [], unreachable: [], changes: NO_CHANGES };
    pool.update(createSnapshot({ ...list, version: 2, source: 'live', receivedAt: 0, ageMs: () => 0 }));
    pool.backOff(find(0), 'failing');
    pool.backOff(find(1), 'failing');
    expect(pool.isPanic).toBe(true);
    expect(explained().instances[0]?.state).toBe('eligible');
  });
});
