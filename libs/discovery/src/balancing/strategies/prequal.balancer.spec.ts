import { describe, expect, it } from '@jest/globals';
import { seededRandom } from '@rookery/test-support';
import { InMemoryRegistry } from '../../testing/in-memory.registry.js';
import { TrackedTarget } from '../target/tracked-target.js';
import { createBalancer } from './strategies.js';

function target(n: number, latencyMs: number, inFlight?: number): TrackedTarget {
  const made = new TrackedTarget(
    new InMemoryRegistry().put({ service: 's', id: `i${n}`, port: 1_000 + n }),
    -Infinity,
    0,
  );
  made.begin();
  made.end(0, latencyMs, 'success');
  if (inFlight !== undefined) made.reported.observe(0, inFlight, 0);
  return made;
}
/** The share of each in ten thousand picks, while nothing changes; one pick in sixteen is as with `p2c-load`. */
function shares(of: readonly TrackedTarget[]): number[] {
  const balancer = createBalancer('prequal', seededRandom(1));
  const seen = new Map(of.map((each) => [each, 0]));
  for (let n = 0; n < 10_000; n++) {
    const picked = balancer.pick(of, { attempt: 0, hashKey: undefined }) as TrackedTarget;
    seen.set(picked, (seen.get(picked) ?? 0) + 1);
  }
  return [...seen.values()].map((count) => count / 10_000);
}
const MOST = 0.9;

describe('prequal', () => {
  it('picks the fastest that is not hot', () => {
    // Six of seven are cold: the hot one is the fastest.
    const all = [
      target(0, 8, 9),
      ...[20, 10, 30, 40].map((latency, n) => target(n + 1, latency, n + 1)),
      target(5, 50, 0),
      target(6, 60, 0),
    ];
    const [ofHot = 1, ofSlower = 0, ofFastest = 0] = shares(all);
    expect(ofFastest).toBeGreaterThan(MOST);
    expect(ofHot).toBeLessThan(0.1);
    // By the picks that are as with `p2c-load`.
    expect(ofSlower).toBeGreaterThan(0);
  });

  it('picks the one with the fewest calls where all have as many as the busiest or are hot', () => {
    const [first = 0, second = 0] = shares([target(0, 10, 3), target(1, 5, 2)]);
    expect(second).toBeGreaterThan(MOST);
    expect(first).toBeLessThan(0.1);
  });

  it('picks one with the fewest calls where all are hot, however fast another is', () => {
    const same = Array.from({ length: 6 }, (_, n) => target(n, 10, 2));
    expect(shares([...same, target(6, 1, 5)]).at(-1)).toBeLessThan(0.05);
  });

  it('compares others where there are more than it compares', () => {
    const all = Array.from({ length: 40 }, (_, n) => target(n, 10, n % 3));
    const ofLater = shares(all)
      .slice(16)
      .reduce((sum, share) => sum + share, 0);
    expect(ofLater).toBeGreaterThan(0.4);
  });

  it('counts own calls since the report', () => {
    const [busy, other] = [target(0, 10, 2), target(1, 10, 3)];
    for (let n = 0; n < 4; n++) busy.begin();
    expect(shares([busy, other])[1]).toBeGreaterThan(MOST);
    // Six there, which is what is hot, and not the four of the fastest other.
    const fast = target(2, 1, 2);
    for (let n = 0; n < 4; n++) fast.begin();
    expect(shares([fast, target(3, 10, 3), target(4, 6, 4)])[2]).toBeGreaterThan(MOST);
  });

  it('picks as p2c-load where not all have told their load', () => {
    const [, , ofSilent = 0] = shares([target(0, 10, 1), target(1, 10, 1), target(2, 10)]);
    expect(ofSilent).toBeCloseTo(1 / 3, 1);
  });

  it('picks as p2c-load where one says always the same', () => {
    const stuck = target(0, 20, 0);
    for (let n = 0; n < 30; n++) stuck.reported.observe(n, 0, 0);
    const [ofStuck = 1] = shares([stuck, target(1, 10, 5), target(2, 10, 6)]);
    expect(ofStuck).toBe(0);
  });

  it('picks a hot one that is more than twice as fast as any other: the reports are not true', () => {
    expect(shares([target(0, 10, 9), target(1, 30, 2), target(2, 30, 3)])[0]).toBeGreaterThan(MOST);
    expect(shares([target(0, 10, 9), target(1, 15, 2), target(2, 30, 3)])[1]).toBeGreaterThan(MOST);
  });

  it('picks as p2c-load where fewer than two have told their load', () => {
    const [ofSlow = 1, ofFast = 0] = shares([target(0, 30, 0), target(1, 10)]);
    expect(ofSlow).toBe(0);
    expect(ofFast).toBe(1);
  });

  it('forgets what a server said when a call to it fails, and has no reason to call it', () => {
    const failing = target(0, 1, 0);
    failing.begin();
    failing.end(0, 1, 'failure');
    expect(failing.reported.isKnown).toBe(false);
    expect(shares([failing, target(1, 10, 5), target(2, 10, 5)])[0]).toBe(0);
  });
});
