import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '@rookery/test-support';
import { RegistryReachability } from './registry-reachability.js';

describe('RegistryReachability', () => {
  it('is announced once, however many find out, and once when all have an answer again', async () => {
    const clock = new FakeClock();
    const seen: unknown[] = [];
    const reachability = new RegistryReachability(clock, {
      onUnreachable: (reason) => seen.push(reason),
      onReachable: (afterMs) => seen.push(afterMs),
    });
    const [registration, watch, idle] = [{}, {}, {}];
    reachability.unreachable(registration, 'refused');
    reachability.unreachable(watch, 'reset');
    reachability.unreachable(registration, 'refused');
    await clock.advance(500);
    expect(reachability.reachable(idle)).toBe(false);
    expect(reachability.reachable(registration)).toBe(true);
    expect(seen).toEqual(['refused']);
    expect(reachability.reachable(watch)).toBe(true);
    expect(seen).toEqual(['refused', 500]);
    reachability.unreachable(watch, 'again');
    reachability.forget(watch);
    reachability.unreachable(registration, 'once more');
    reachability.forget(registration);
    expect(seen.slice(2)).toEqual(['again']);
    expect(reachability.reachable(idle)).toBe(false);
    expect(seen.slice(3)).toEqual([0]);
  });
});
