import { describe, expect, it } from '@jest/globals';
import {
  fleetOf,
  runFleet,
  type FleetEvent,
  type FleetPart,
  type FleetReport,
  type FleetShape,
} from './fleet/fleet.js';
import { burstOf, mergeCounts, requestsOf, type SimulatedCounts } from './fleet/fleet-traffic.js';
import { SimulatedWorld } from './fleet/simulated-world.js';

const SEED = 20_251_121;
/** In seven and a half minutes what the checks say has reached the catalog. */
const TIMES = { start: 20_000, settle: 460_000, idle: 120_000, deployment: 60_000, afterFault: 40_000 };

async function run(
  shape: Partial<FleetShape>,
  events: readonly FleetEvent[],
  part?: FleetPart,
): Promise<FleetReport<SimulatedCounts>> {
  const whole: FleetShape = {
    ...fleetOf(shape.apps ?? 40),
    services: 10,
    instances: 60,
    times: TIMES,
    ...shape,
  };
  return runFleet(whole, new SimulatedWorld(whole, SEED), { events, ...(part && { part }) });
}

function windowOf({ windows }: FleetReport<SimulatedCounts>, name: string): SimulatedCounts {
  const found = windows.find((window) => window.name === name);
  if (!found) throw new Error(`no window ${name}`);
  return found;
}

describe('a fleet of apps', () => {
  it('costs as much for each idle app, however many there are', async () => {
    const perMinute: number[] = [];
    for (const apps of [20, 40]) {
      const report = await run({ apps, hosts: 2, remoteEvery: 0 }, []);
      const idle = windowOf(report, 'idle');
      expect(idle.serverWrites).toBe(0);
      perMinute.push((requestsOf(idle) * 60_000) / idle.ms / apps);
      // A list each, and the checks of the node; the agent itself answers for its own record of the service.
      expect(idle.blockedReads).toBeGreaterThan(apps * 6 * 0.9);
      expect(idle.blockedReads).toBeLessThanOrEqual(apps * 6);
    }
    const [few = 0, many = 0] = perMinute;
    expect(few).toBeGreaterThan(5);
    expect(many / few).toBeGreaterThan(0.9);
    expect(many / few).toBeLessThan(1.1);
  });

  it('fails no call in a deployment, nor when a leader, a server or another datacenter is lost', async () => {
    const events = ['deployment', 'leader lost', 'server restarted', 'datacenter cut off'] as const;
    const report = await run({ apps: 40, hosts: 2, deployed: 3 }, events);
    for (const event of events) {
      const { calls, failedCalls } = windowOf(report, event);
      expect(calls).toBeGreaterThan(100);
      expect(failedCalls).toBe(0);
    }
    // Each instance of three services leaves, and comes back.
    expect(windowOf(report, 'deployment').serverWrites).toBe(2 * 3 * 4);
  });

  it('comes back spread over time when there is a leader again', async () => {
    const report = await run({ apps: 60, hosts: 3, services: 6, instances: 600 }, ['leader lost']);
    const lost = windowOf(report, 'leader lost');
    const { calls, failedCalls } = lost;
    // Of all of them at once, were the first ping or the first retry not random.
    expect(burstOf(lost).apps).toBeLessThan(20);
    expect([calls > 0, failedCalls]).toEqual([true, 0]);
  });

  it('is the same in parts, each with the apps of some hosts', async () => {
    const shape = { apps: 40, hosts: 2, deployed: 3 };
    const whole = await run(shape, ['deployment']);
    const parts = [
      await run(shape, ['deployment'], { turn: 0, parts: 2 }),
      await run(shape, ['deployment'], { turn: 1, parts: 2 }),
    ];
    for (const name of ['idle', 'deployment']) {
      const merged = mergeCounts(parts.map((part) => windowOf(part, name)));
      const expected = windowOf(whole, name);
      expect([merged.serverWrites, merged.failedCalls]).toEqual([expected.serverWrites, 0]);
      const pairs = [
        [requestsOf(merged), requestsOf(expected)],
        [merged.bytes, expected.bytes],
        [merged.blockedReads, expected.blockedReads],
        [merged.calls + 1, expected.calls + 1],
      ] as const;
      for (const [found, of] of pairs) {
        expect(found / of).toBeGreaterThan(0.9);
        expect(found / of).toBeLessThan(1.1);
      }
      expect(merged.bins).toHaveLength(expected.bins.length);
    }
    const connections = parts.reduce((sum, { connectionsOfApp }) => sum + connectionsOfApp, 0);
    expect(connections / whole.connectionsOfApp).toBeCloseTo(1, 0);
  });
});
