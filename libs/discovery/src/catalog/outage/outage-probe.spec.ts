import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '@rookery/test-support';
import type { ServiceInstance } from '../../registry/service-instance.js';
import type { ProbeResult } from '../../registry/tcp-probe.js';
import { InMemoryRegistry } from '../../testing/in-memory.registry.js';
import { OutageProbe } from './outage-probe.js';

describe('OutageProbe', () => {
  let clock: FakeClock;
  let random: number;
  let inUse: ServiceInstance[];
  let probedAt: Map<number, number[]>;
  let results: [port: number, result: ProbeResult][];
  let roundsAt: number[];
  let probe: OutageProbe;
  let answers: Promise<void>;

  beforeEach(() => {
    clock = new FakeClock();
    random = 0.5;
    probedAt = new Map();
    results = [];
    roundsAt = [];
    answers = Promise.resolve();
    use(2);
    probe = new OutageProbe({
      clock,
      random: () => random,
      probe: async ({ port }) => {
        probedAt.set(port, [...(probedAt.get(port) ?? []), clock.now()]);
        await answers;
        return port === 1 ? 'refused' : 'reachable';
      },
      inUse: () => inUse,
      onResult: ({ port }, result) => results.push([port, result]),
      onRound: () => roundsAt.push(clock.now()),
    });
  });
  const use = (count: number): void => {
    const registry = new InMemoryRegistry();
    inUse = Array.from({ length: count }, (_, n) => registry.put({ service: 'web', port: n + 1 }));
  };

  it('begins after half a second, and goes on about every five, until it is stopped', async () => {
    probe.start();
    probe.start();
    await clock.advance(499);
    expect(probedAt.size).toBe(0);
    await clock.advance(1);
    expect(results).toEqual([
      [1, 'refused'],
      [2, 'reachable'],
    ]);
    await clock.advance(5_000);
    random = 0;
    await clock.advance(5_000);
    random = 1;
    await clock.advance(4_000 + 6_000);
    expect(roundsAt).toEqual([500, 5_500, 10_500, 14_500, 20_500]);
    probe.stop();
    expect(clock.pending).toBe(0);
  });

  it('probes fifty in one round, and the others in the next ones', async () => {
    use(50);
    probe.start();
    await clock.advance(500);
    expect(probedAt.size).toBe(50);
    await clock.advance(5_000);
    expect(probedAt.get(1)).toEqual([500, 5_500]);
    use(120);
    await clock.advance(5_000);
    await clock.advance(5_000);
    await clock.advance(5_000);
    expect(probedAt.size).toBe(120);
    expect(Math.max(...[...probedAt.values()].map(({ length }) => length))).toBeLessThanOrEqual(4);
    probe.stop();
  });

  it('tells of no round in which nothing was to be probed', async () => {
    inUse = [];
    probe.start();
    await clock.advance(6_000);
    expect(roundsAt).toEqual([]);
    use(1);
    await clock.advance(6_000);
    expect(roundsAt).toHaveLength(1);
    probe.stop();
  });

  it('ignores what is found once it is stopped', async () => {
    let answer: () => void = () => undefined;
    answers = new Promise((resolve) => (answer = resolve));
    probe.start();
    await clock.advance(500);
    expect(probedAt.size).toBe(2);
    probe.stop();
    answer();
    await settle();
    expect([results, roundsAt, clock.pending]).toEqual([[], [], 0]);
  });
});
