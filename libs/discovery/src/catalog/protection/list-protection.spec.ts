import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '@rookery/test-support';
import type { ServiceInstance } from '../../registry/service-instance.js';
import type { ProbeResult } from '../../registry/tcp-probe.js';
import { InMemoryRegistry } from '../../testing/in-memory.registry.js';
import { ListProtection } from './list-protection.js';

describe('ListProtection', () => {
  let clock: FakeClock;
  let all: ServiceInstance[];
  /** What a probe of each port finds; `reachable` unless said. */
  let sightings: Map<number, ProbeResult>;
  let probedAt: number[];
  let readAt: number[];
  /** What a consistent read lists; undefined: it fails. */
  let consistent: readonly ServiceInstance[] | undefined;
  let removals: number;
  let listed: (readonly ServiceInstance[])[];
  let emitted: unknown[];
  let stopping: AbortController;
  let protection: ListProtection;

  beforeEach(() => {
    clock = new FakeClock();
    const registry = new InMemoryRegistry();
    all = [1, 2, 3].map((port) => registry.put({ service: 'web', id: `web-${port}`, port }));
    sightings = new Map();
    [probedAt, readAt, listed, emitted] = [[], [], [], []];
    consistent = undefined;
    removals = 0;
    stopping = new AbortController();
    protection = new ListProtection({
      clock,
      probe: async ({ port }) => {
        if (port === 1) probedAt.push(clock.now());
        return sightings.get(port) ?? 'reachable';
      },
      readConsistent: async () => {
        readAt.push(clock.now());
        if (!consistent) throw new Error('no leader');
        return consistent;
      },
      onRemoved: () => removals++,
      onListed: (instances) => listed.push(instances),
      emit: (event) => emitted.push(event),
    });
  });
  const check = async (
    update: readonly ServiceInstance[],
    inUse: readonly ServiceInstance[] = all,
  ): Promise<void> => {
    protection.check(inUse, update, stopping.signal);
    await settle();
  };
  const suspects = (): number[] => protection.suspects.map(({ port }) => port);
  const explain = (at: number): string | undefined => {
    const instance = all[at];
    return instance && protection.explain(instance);
  };

  it('keeps what an empty list leaves out, and says so', async () => {
    await check([]);
    expect(suspects()).toEqual([1, 2, 3]);
    expect(emitted).toEqual([
      {
        type: 'list.suspect',
        missing: ['web-1', 'web-2', 'web-3'],
        reason: 'update lists 0 instances and leaves out 3 of 3 in use',
      },
    ]);
    await clock.advance(1_200);
    expect(explain(0)).toBe('the registry has not listed it for 1200 ms; it accepts connections');
    await check(all.slice(0, 2));
    expect(explain(0)).toBeUndefined();
    expect(suspects()).toEqual([3]);
    expect(emitted.slice(1)).toEqual([
      {
        type: 'list.rejected',
        returned: ['web-1', 'web-2'],
        reason: 'a newer update lists it',
        afterMs: 1_200,
      },
    ]);
    stopping.abort(new Error('over'));
    await settle();
    expect([suspects(), clock.pending]).toEqual([[], 0]);
  });

  it('does not suspect a list that leaves out no more than half', async () => {
    await check(all.slice(1));
    expect([suspects(), emitted, readAt]).toEqual([[], [], []]);
  });

  it('removes at once what refuses or is not ready, and after a second time what does not answer', async () => {
    sightings = new Map<number, ProbeResult>([
      [1, 'refused'],
      [2, 'not-ready'],
      [3, 'timeout'],
    ]);
    await check([]);
    expect(suspects()).toEqual([3]);
    expect(removals).toBe(1);
    expect(explain(2)).toMatch(/no probe result yet$/);
    await clock.advance(250);
    expect(suspects()).toEqual([]);
    expect(removals).toBe(2);
    expect(emitted.slice(1)).toEqual([
      { type: 'list.confirmed', removed: ['web-1'], reason: 'connection refused', afterMs: 0 },
      { type: 'list.confirmed', removed: ['web-2'], reason: 'its readiness check fails', afterMs: 0 },
      { type: 'list.confirmed', removed: ['web-3'], reason: 'no response', afterMs: 250 },
    ]);
    expect(clock.pending).toBe(0);
  });

  it('tells of those with the same reason together, and counts timeouts in a row only', async () => {
    sightings = new Map<number, ProbeResult>([[3, 'timeout']]);
    await check([]);
    sightings = new Map<number, ProbeResult>();
    await clock.advance(250);
    sightings = new Map<number, ProbeResult>([
      [1, 'refused'],
      [2, 'refused'],
      [3, 'timeout'],
    ]);
    await clock.advance(500);
    expect(suspects()).toEqual([3]);
    expect(emitted.at(-1)).toEqual({
      ...{ type: 'list.confirmed', removed: ['web-1', 'web-2'], reason: 'connection refused', afterMs: 750 },
    });
    stopping.abort(new Error('over'));
    await settle();
  });

  it('probes less and less often, and reads again after one second, two, four and five', async () => {
    await check([]);
    await clock.advance(20_000);
    expect(probedAt.slice(0, 6)).toEqual([0, 250, 750, 1_750, 3_750, 5_750]);
    expect(readAt).toEqual([0, 1_750, 3_750, 7_750, 13_750, 19_750]);
    stopping.abort(new Error('over'));
    await settle();
  });

  it('removes what answers after thirty seconds, if a consistent read has not listed it either', async () => {
    consistent = [];
    await check([]);
    await clock.advance(29_750);
    expect(suspects()).toEqual([1, 2, 3]);
    expect(removals).toBe(0);
    await clock.advance(2_000);
    expect(suspects()).toEqual([]);
    expect([removals, listed]).toEqual([1, []]);
    expect(emitted.at(-1)).toMatchObject({
      ...{
        type: 'list.confirmed',
        removed: ['web-1', 'web-2', 'web-3'],
        reason: 'still not listed after 30 s',
      },
    });
  });

  it('keeps it for as long as no consistent read succeeds', async () => {
    await check([]);
    await clock.advance(120_000);
    expect(suspects()).toEqual([1, 2, 3]);
    stopping.abort(new Error('over'));
    await settle();
  });

  it('hands on the list of a consistent read that has them', async () => {
    consistent = all.slice(0, 1);
    await check([]);
    expect(suspects()).toEqual([2, 3]);
    expect(listed).toEqual([consistent]);
    expect(emitted[1]).toEqual({
      ...{ type: 'list.rejected', returned: ['web-1'], reason: 'a consistent read lists it', afterMs: 0 },
    });
    consistent = all;
    await clock.advance(1_750);
    expect([suspects(), listed.length, clock.pending]).toEqual([[], 2, 0]);
  });

  it('begins again with short intervals after a minute of quiet', async () => {
    sightings = new Map<number, ProbeResult>([1, 2, 3].map((port) => [port, 'refused']));
    await check([]);
    await clock.advance(500);
    // The interval between reads holds for the next suspicion, too.
    await check([]);
    expect(readAt).toEqual([0]);
    await clock.advance(1_000);
    await check([]);
    expect(readAt).toEqual([0, 1_500]);
    await clock.advance(70_000);
    sightings = new Map<number, ProbeResult>();
    await check([]);
    await clock.advance(1_750);
    expect(readAt).toEqual([0, 1_500, 71_500, 73_250]);
    stopping.abort(new Error('over'));
    await settle();
  });
});
