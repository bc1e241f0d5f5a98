import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '@rookery/test-support';
import { DiscoveryEvents } from './discovery-events.js';
import { RegistryReachability } from './registry-reachability.js';

describe('RegistryReachability', () => {
  it('is announced once, however many find out, and once when all have an answer again', async () => {
    const clock = new FakeClock();
    const events = new DiscoveryEvents();
    const seen: unknown[] = [];
    events.events$.subscribe(({ timestamp: _, ...event }) => seen.push(event));
    const reachability = new RegistryReachability(events, clock);
    const [registration, watch, idle] = [{}, {}, {}];
    reachability.unreachable(registration, 'refused');
    reachability.unreachable(watch, 'reset');
    reachability.unreachable(registration, 'refused');
    await clock.advance(500);
    expect(reachability.reachable(idle)).toBe(false);
    expect(reachability.reachable(registration)).toBe(true);
    expect(seen).toEqual([{ type: 'registry.unreachable', reason: 'refused' }]);
    expect(reachability.reachable(watch)).toBe(true);
    expect(seen.slice(1)).toEqual([{ type: 'registry.reachable', afterMs: 500 }]);
    reachability.unreachable(watch, 'again');
    reachability.forget(watch);
    reachability.unreachable(registration, 'once more');
    expect(seen).toHaveLength(4);
  });
});
