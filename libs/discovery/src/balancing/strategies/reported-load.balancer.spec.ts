import { describe, expect, it } from '@jest/globals';
import { seededRandom } from '@rookery/test-support';
import { InMemoryRegistry } from '../../testing/in-memory.registry.js';
import { TrackedTarget } from '../target/tracked-target.js';
import { createBalancer } from './strategies.js';

function targets(count: number): TrackedTarget[] {
  return Array.from({ length: count }, (_, n) => {
    const target = new TrackedTarget(
      new InMemoryRegistry().put({ service: 's', id: `i${n}`, port: 1_000 + n }),
      -Infinity,
      0,
    );
    target.begin();
    target.end(0, 10, 'success');
    return target;
  });
}
/** The share of each in ten thousand picks, while nothing changes. */
function shares(of: readonly TrackedTarget[]): number[] {
  const balancer = createBalancer('p2c-load', seededRandom(1));
  const seen = new Map(of.map((each) => [each, 0]));
  for (let n = 0; n < 10_000; n++) {
    const picked = balancer.pick(of, { attempt: 0, hashKey: undefined }) as TrackedTarget;
    seen.set(picked, (seen.get(picked) ?? 0) + 1);
  }
  return [...seen.values()].map((count) => count / 10_000);
}
const average = 9;
/** After reports of 9 calls under way. */
const report = (target: TrackedTarget, inFlight: number): void => {
  for (let n = 0; n < 50; n++) target.reported.observe(0, average, 0);
  target.reported.observe(0, inFlight, 0);
};

describe('p2c-load', () => {
  it('takes the one that has less to do than usual, where their latency is the same', () => {
    const [busy, idle] = targets(2) as [TrackedTarget, TrackedTarget];
    report(busy, 12);
    report(idle, 6);
    expect(shares([busy, idle])).toEqual([0, 1]);
  });

  it('compares the better of two with a third where even that one is busy', () => {
    const all = targets(6);
    for (const [n, each] of all.entries()) report(each, n === 0 ? 6 : 12);
    // Among two of six are 0.33.
    expect(shares(all)[0]).toBeGreaterThan(0.4);
    for (const each of all.slice(1)) report(each, average);
    expect(shares(all)[0]).toBeLessThan(0.38);
  });

  it('takes no small difference for one', () => {
    const [one, other] = targets(2) as [TrackedTarget, TrackedTarget];
    report(one, average);
    report(other, average + 1);
    expect(shares([one, other])[0]).toBeCloseTo(0.5, 1);
  });

  it('goes by latency for one that has said nothing, or not for long', () => {
    const [silent, other, slow] = targets(3) as [TrackedTarget, TrackedTarget, TrackedTarget];
    report(other, average);
    slow.latency.observe(1, 13);
    const [ofSilent = 0, ofOther = 0, ofSlow = 1] = shares([silent, other, slow]);
    expect(ofSilent).toBeCloseTo(ofOther, 1);
    expect(ofSlow).toBeLessThan(0.05);
    report(other, 1_000);
    other.reported.expire(10_000);
    expect(shares([silent, other])[0]).toBeCloseTo(0.5, 1);
  });

  it('lets a report fade', () => {
    const [busy, other] = targets(2) as [TrackedTarget, TrackedTarget];
    report(busy, 12);
    report(other, average);
    expect(shares([busy, other])).toEqual([0, 1]);
    for (let n = 0; n < 5; n++) busy.reported.fade();
    expect(shares([busy, other])[0]).toBeCloseTo(0.5, 1);
  });

  it('believes a report up to a factor: five times the latency outweighs any', () => {
    const [liar, honest] = targets(2) as [TrackedTarget, TrackedTarget];
    liar.latency.observe(1, 50);
    report(liar, 0);
    report(honest, 1e6);
    expect(shares([liar, honest])).toEqual([0, 1]);
  });

  it.each(['failure', 'server-error'] as const)('the penalty of a %s outweighs any report', (outcome) => {
    const [failing, other] = targets(2) as [TrackedTarget, TrackedTarget];
    for (let n = 0; n < 10; n++) {
      failing.begin();
      failing.end(0, 1, outcome);
    }
    report(failing, 0);
    report(other, 1e6);
    expect(shares([failing, other])).toEqual([0, 1]);
  });

  it('believes no report of one that failed until a call to it succeeds', () => {
    const [failing] = targets(1) as [TrackedTarget];
    report(failing, average);
    failing.begin();
    failing.end(0, 1, 'failure');
    expect(failing.reported.queuePercent).toBe(400);
    failing.begin();
    failing.end(0, 1, 'success');
    expect(failing.reported.queuePercent).toBe(100);
  });

  it('an instance that was never answered gets one call', () => {
    const [known] = targets(1) as [TrackedTarget];
    const fresh = new TrackedTarget(known.instance, 0, 0);
    report(known, 0);
    expect(shares([known, fresh])[1]).toBeGreaterThan(0.45);
    fresh.begin();
    expect(shares([known, fresh])[1]).toBe(0);
  });
});
