import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '@rookery/test-support';
import type { DiscoveryEvent } from '../../events/discovery-event.js';
import type { ProbeResult } from '../../registry/tcp-probe.js';
import { InMemoryRegistry } from '../../testing/in-memory.registry.js';
import { TrackedTarget } from '../target/tracked-target.js';
import { OutlierDetector, type OutlierDetectorOptions } from './outlier-detector.js';
import { OUTLIER_DEFAULTS } from './outlier-rules.js';

const target = (n: number): TrackedTarget => {
  const instance = new InMemoryRegistry().put({ service: 's', id: `i${n}`, address: '10.0.0.1', port: n });
  return new TrackedTarget(instance, -Infinity, n);
};

describe('OutlierDetector', () => {
  let clock: FakeClock;
  let events: DiscoveryEvent[];
  let unused: string[];
  let changes: number;
  let targets: readonly [TrackedTarget, TrackedTarget, TrackedTarget, TrackedTarget];
  const create = (options: Partial<OutlierDetectorOptions> = {}): OutlierDetector => {
    const detector = new OutlierDetector('s', {
      ...{ clock, outlierRules: OUTLIER_DEFAULTS, probe: undefined },
      // Without jitter.
      random: () => 0.5,
      emit: (event) => events.push(event),
      onUnused: ({ id }) => unused.push(id),
      onChange: () => changes++,
      ...options,
    });
    detector.setTargets(targets, targets.length);
    return detector;
  };
  const started = async (detector: OutlierDetector, milliseconds: number): Promise<void> => {
    await clock.advance(milliseconds);
    detector.tick(clock.now());
    await settle();
  };
  const request = { tried: new Set<TrackedTarget>(), mayTry: 'yes' } as const;
  const take = (): DiscoveryEvent[] => events.splice(0);

  beforeEach(() => {
    clock = new FakeClock();
    events = [];
    unused = [];
    changes = 0;
    targets = [target(1), target(2), target(3), target(4)];
  });

  it('tells which instance of which service it ejects, why and for how long, and the same of its return', async () => {
    const detector = create();
    await clock.advance(1_000);
    detector.eject(targets[0], 'why');
    expect(take()).toEqual([
      {
        type: 'instance.ejected',
        service: 's',
        id: 'i1',
        address: '10.0.0.1:1',
        reason: 'why',
        durationMs: 30_000,
      },
    ]);
    expect({ unused, changes }).toEqual({ unused: ['i1'], changes: 1 });
    expect(targets[0].ejection).toMatchObject({
      ...{ phase: 'ejected', count: 1 },
      ejection: { since: 1_000, until: 31_000, reason: 'why', isRequested: false, wasRefused: false },
    });
    // It is ejected already.
    detector.eject(targets[0], 'again');
    expect(take()).toEqual([]);
    await clock.advance(2_000);
    targets[0].latency.observe(clock.now(), 50);
    targets[0].history.failed(clock.now(), false);
    expect(detector.uneject(targets[0], 'by hand')).toBe(true);
    expect(take()).toEqual([
      {
        type: 'instance.unejected',
        service: 's',
        id: 'i1',
        address: '10.0.0.1:1',
        reason: 'by hand',
        afterMs: 2_000,
      },
    ]);
    expect(changes).toBe(2);
    expect(targets[0]).toMatchObject({ latencyMs: 0, history: { consecutiveFailures: 0 } });
    expect(detector.uneject(targets[0], 'by hand')).toBe(false);
    expect(take()).toEqual([]);
  });

  it('ejects nothing that is not among the targets, and no more than the limit', () => {
    const detector = create();
    detector.eject(target(9), 'why');
    expect(events).toEqual([]);
    for (const each of targets) detector.eject(each, 'why');
    expect(unused).toEqual(['i1', 'i2']);
  });

  it('ejects for as long as the instance asked, and does not count it', async () => {
    const detector = create();
    detector.eject(targets[0], 'Retry-After', 7_000);
    expect(take()).toMatchObject([{ durationMs: 7_000 }]);
    expect(targets[0].ejection.count).toBe(0);
    await started(detector, 6_999);
    expect(events).toEqual([]);
    await started(detector, 1);
    expect(events).toMatchObject([{ type: 'instance.unejected', reason: 'the requested delay is over' }]);
  });

  it('names an instance that refuses connections while the registry reports it as passing', () => {
    const detector = create();
    targets[0].history.failed(0, true);
    targets[0].history.failed(0, false);
    detector.eject(targets[0], 'why');
    expect(take()).toMatchObject([{ type: 'instance.ejected' }]);
    for (let n = 0; n < 2; n++) targets[1].history.failed(0, true);
    detector.eject(targets[1], 'why');
    expect(take()).toMatchObject([
      { type: 'instance.ejected', id: 'i2' },
      ...[{ type: 'instance.ghost', service: 's', id: 'i2', reason: 'the registry reports it as passing' }],
    ]);
  });

  it('is in a panic when fewer than half of all that are listed are left, and says when that begins and ends', () => {
    const detector = create();
    detector.setTargets(targets, 5);
    detector.eject(targets[0], 'why');
    detector.eject(targets[1], 'why');
    expect(detector.isPanic).toBe(true);
    expect(take().slice(2)).toEqual([{ type: 'service.panic', service: 's', available: 2, instances: 5 }]);
    detector.uneject(targets[0], 'by hand');
    expect(detector.isPanic).toBe(false);
    expect(take().slice(1)).toEqual([
      { type: 'service.panicEnded', service: 's', available: 3, instances: 5 },
    ]);
  });

  it('keeps the trial for calls that can be retried, for ten seconds', async () => {
    const detector = create();
    expect(detector.halfOpenTarget(request)).toBeUndefined();
    detector.eject(targets[0], 'why');
    await started(detector, 29_999);
    expect(detector.halfOpenTarget(request)).toBeUndefined();
    await started(detector, 1);
    expect(detector.halfOpenTarget(request)).toBe(targets[0]);
    expect(detector.halfOpenTarget({ ...request, tried: new Set([targets[0]]) })).toBeUndefined();
    expect(detector.halfOpenTarget({ ...request, mayTry: 'no' })).toBeUndefined();
    const overdue = { ...request, mayTry: 'if-overdue' } as const;
    await started(detector, 10_000);
    expect(detector.halfOpenTarget(overdue)).toBeUndefined();
    await started(detector, 1);
    expect(detector.halfOpenTarget(overdue)).toBe(targets[0]);
    detector.begin(targets[0]);
    expect(detector.halfOpenTarget(request)).toBeUndefined();
  });

  it('has no trial for a target that takes no calls by the registry any more', async () => {
    const detector = create();
    detector.eject(targets[0], 'why');
    await started(detector, 30_000);
    expect(detector.halfOpenTarget(request)).toBe(targets[0]);
    detector.setTargets(targets.slice(1), targets.length);
    expect(detector.halfOpenTarget(request)).toBeUndefined();
    detector.setTargets(targets, targets.length);
    expect(detector.halfOpenTarget(request)).toBe(targets[0]);
  });

  it('expires an ejection when the registry lists the target again', async () => {
    const detector = create();
    detector.eject(targets[0], 'why');
    detector.setTargets(targets, 4);
    expect(targets[0].ejection.ejection?.until).toBe(30_000);
    detector.setTargets(targets.slice(1), 4);
    await clock.advance(2_000);
    detector.setTargets(targets, 4);
    expect(targets[0].ejection.ejection?.until).toBe(2_000);
    detector.remove(targets[0]);
    expect(targets[0].ejection.isActive).toBe(true);
    expect(detector.tick(clock.now())).toBe(false);
  });

  it('takes one ejection less into account for each 30 s without one', async () => {
    const detector = create();
    detector.eject(targets[0], 'why');
    detector.uneject(targets[0], 'by hand');
    await started(detector, 29_999);
    expect(targets[0].ejection.count).toBe(1);
    await started(detector, 1);
    expect(targets[0].ejection.count).toBe(0);
    const off = create({ outlierRules: undefined });
    expect(off.tick(clock.now())).toBe(false);
  });

  it('compares success rates every ten seconds, each time from the start', async () => {
    targets = [...targets, target(5), target(6)] as never;
    const detector = create();
    const serve = (failures: number): void => {
      for (const each of targets) for (let n = 0; n < 100; n++) each.history.succeeded(clock.now());
      for (let n = 0; n < failures; n++) targets[0].history.serverFailed();
    };
    serve(60);
    await started(detector, 9_999);
    expect(events).toEqual([]);
    await started(detector, 1);
    expect(events).toMatchObject([
      { id: 'i1', reason: 'success rate of 63 % is far below that of the others' },
    ]);
    expect(targets.map(({ history }) => history.calls)).toEqual([0, 0, 0, 0, 0, 0]);
    detector.uneject(targets[0], 'by hand');
    serve(60);
    take();
    await started(detector, 9_999);
    expect(events).toEqual([]);
    await started(detector, 1);
    expect(events).toHaveLength(1);
    const off = create({ outlierRules: { ...OUTLIER_DEFAULTS, successRate: false } });
    detector.uneject(targets[0], 'by hand');
    serve(60);
    take();
    await started(off, 20_000);
    expect(events).toEqual([]);
    expect(targets[0].history.calls).toBe(0);
  });

  describe('with probes', () => {
    let probed: string[];
    let results: ((result: ProbeResult) => void)[];
    let detector: OutlierDetector;
    const answer = async (result: ProbeResult): Promise<void> => {
      for (const each of results.splice(0)) each(result);
      await settle();
    };

    beforeEach(() => {
      probed = [];
      results = [];
      detector = create({
        probe: ({ id }) => {
          probed.push(id);
          return new Promise((resolve) => results.push(resolve));
        },
      });
    });

    it('probes one that refused connections every five seconds, and others when their time is over, once at a time', async () => {
      targets[0].history.failed(0, true);
      detector.eject(targets[0], 'refused');
      detector.eject(targets[1], 'failing');
      targets[0].history.forgetFailures();
      await started(detector, 4_999);
      expect(probed).toEqual([]);
      await started(detector, 1);
      expect(probed).toEqual(['i1']);
      await started(detector, 5_000);
      expect(probed).toEqual(['i1']);
      await answer('refused');
      await started(detector, 4_999);
      expect(probed).toEqual(['i1']);
      await started(detector, 1);
      expect(probed).toEqual(['i1', 'i1']);
      await answer('timeout');
      expect(targets[0].ejection.ejection?.until).toBe(30_000);
      await started(detector, 15_000);
      expect(probed).toEqual(['i1', 'i1', 'i1', 'i2']);
      take();
      await answer('timeout');
      expect(take()).toMatchObject([
        { id: 'i1', reason: 'trial call failed: no response' },
        { id: 'i2', reason: 'trial call failed: no response' },
      ]);
    });

    it('is half-open after an answer, and ejected again after a refusal', async () => {
      detector.eject(targets[0], 'failing');
      await started(detector, 30_000);
      await answer('refused');
      expect(targets[0].ejection).toMatchObject({
        ejection: { since: 30_000, until: 90_000, reason: 'trial call failed: connection refused' },
      });
      await started(detector, 60_000);
      await answer('reachable');
      expect(targets[0].ejection.phase).toBe('half-open');
      expect(detector.halfOpenTarget(request)).toBe(targets[0]);
    });

    it('probes an instance that refused a connection, and ejects it when the probes are refused too', async () => {
      targets[1].history.succeeded(1_000);
      targets[0].history.failed(0, true);
      expect(detector.tick(clock.now())).toBe(true);
      for (let n = 0; n < 4; n++) {
        await answer('refused');
        detector.tick(clock.now());
      }
      expect(events).toMatchObject([
        { id: 'i1', reason: '5 consecutive failures, the last one: connection refused' },
        { type: 'instance.ghost', id: 'i1' },
      ]);
      await answer('reachable');
      detector.uneject(targets[0], 'by hand');
      targets[0].history.failed(0, true);
      detector.tick(clock.now());
      await answer('reachable');
      expect(targets[0].history.consecutiveRefusals).toBe(0);
      expect(detector.tick(clock.now())).toBe(false);
    });

    it('has no use for the result of one that left', async () => {
      targets[0].history.failed(0, true);
      detector.tick(clock.now());
      targets[0].isListed = false;
      await answer('refused');
      expect(targets[0].history.consecutiveFailures).toBe(1);
    });
  });
});
