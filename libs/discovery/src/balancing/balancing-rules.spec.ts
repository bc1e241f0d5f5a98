import { describe, expect, it } from '@jest/globals';
import { AliasTable } from './strategies/alias-table.js';
import { ejectionTime, isPanic, maxEjected, successRateOutliers } from './outliers/outlier-rules.js';
import { hash } from './hash.js';
import { MaglevTable } from './strategies/maglev-table.js';
import { slowStartShare } from './traffic/slow-start.js';
import { smoothSequence } from './strategies/smooth-sequence.js';
import { MAX_SUBSET, subsetOf } from './traffic/subset.js';
import { Xorshift } from './xorshift.js';
import { zoneShares } from './traffic/zone-shares.js';

describe('the ejection limit', () => {
  it('is half of a small service, a tenth of a large one, never all, and never falls as the service grows', () => {
    expect([0, 1, 2, 3, 4, 9, 10, 39, 50, 100, 1_000].map(maxEjected)).toEqual([
      0, 0, 1, 1, 2, 4, 4, 4, 5, 10, 100,
    ]);
  });

  it('is in panic when fewer than half are left', () => {
    expect([isPanic(2, 4), isPanic(1, 4), isPanic(1, 3), isPanic(0, 0)]).toEqual([false, true, true, false]);
  });

  it('grows with each ejection up to the maximum, with jitter', () => {
    const rules = { baseEjectionMs: 30_000, maxEjectionMs: 300_000 };
    expect([1, 2, 3, 50].map((times) => ejectionTime(times, rules, () => 0.5))).toEqual([
      30_000, 60_000, 90_000, 300_000,
    ]);
    expect(ejectionTime(1, rules, () => 0)).toBe(27_000);
  });
});

describe('successRateOutliers', () => {
  const good = { calls: 200, failures: 2 };
  it('finds the instance that fails much more often than the others', () => {
    expect(successRateOutliers([good, good, good, good, { calls: 200, failures: 60 }])).toEqual([4]);
  });

  it('finds none by a single failure, whatever the deviation of the others is', () => {
    const perfect = Array.from({ length: 9 }, () => ({ calls: 100, failures: 0 }));
    expect(successRateOutliers([...perfect, { calls: 100, failures: 1 }])).toEqual([]);
    expect(successRateOutliers([...perfect, { calls: 100, failures: 5 }])).toEqual([]);
    expect(successRateOutliers([...perfect, { calls: 100, failures: 6 }])).toEqual([9]);
  });

  it('needs enough instances and enough calls, and finds none among equals', () => {
    expect(successRateOutliers([good, good, good, { calls: 200, failures: 60 }])).toEqual([]);
    expect(successRateOutliers([good, good, good, good, { calls: 99, failures: 60 }])).toEqual([]);
    expect(successRateOutliers([good, good, good, good, good])).toEqual([]);
  });
});

describe('slowStartShare', () => {
  it('rises from a tenth to the full share in 30 s', () => {
    expect([0, 1_000, 15_000, 30_000, Infinity].map(slowStartShare)).toEqual([0.1, 0.1, 0.5, 1, 1]);
  });
});

describe('zoneShares', () => {
  const capacity = (zones: Record<string, number>): Map<string, number> => new Map(Object.entries(zones));
  const ask = (own: string, zones: Record<string, number>, callers?: Record<string, number>) =>
    zoneShares({
      own,
      capacity: capacity(zones),
      callers: callers && capacity(callers),
      instances: Object.values(zones).reduce((sum, count) => sum + count, 0),
    });

  it('keeps all calls in the local zone while that has its share of the instances', () => {
    expect(ask('a', { a: 3, b: 3, c: 3 })).toEqual(new Map([['a', 1]]));
    expect(ask('b', { a: 1, b: 9, c: 9 })).toEqual(new Map([['b', 1]]));
  });

  it('F36 spills what a small zone cannot take to zones with room, so that no host gets more than 1.5 times the mean', () => {
    const zones = { a: 1, b: 9, c: 9 };
    const load: Record<string, number> = { a: 0, b: 0, c: 0 };
    for (const own of Object.keys(zones))
      for (const [zone, share] of ask(own, zones) ?? []) load[zone] = (load[zone] ?? 0) + share;
    const mean = 3 / 19;
    for (const [zone, hosts] of Object.entries(zones))
      expect((load[zone] ?? 0) / hosts / mean).toBeLessThan(1.5);
    expect(ask('a', zones)?.get('a')).toBeCloseTo(3 / 19);
  });

  it('F36 accounts for where the callers are', () => {
    // Two thirds of the callers are in a, which has half of the instances.
    const shares = ask('a', { a: 5, b: 5 }, { a: 2, b: 1 });
    expect(shares?.get('a')).toBeCloseTo(0.75);
    expect(shares?.get('b')).toBeCloseTo(0.25);
    expect(ask('b', { a: 5, b: 5 }, { a: 2, b: 1 })).toEqual(new Map([['b', 1]]));
  });

  it('spills in proportion to the room that other zones have, and not where there is none', () => {
    // As many callers in each zone.
    expect(ask('a', { a: 2, b: 4, c: 12 })).toEqual(
      new Map([
        ['a', expect.closeTo(1 / 3)],
        ['c', expect.closeTo(2 / 3)],
      ]),
    );
    const spilled = ask('a', { a: 2, b: 4, c: 7, d: 11 });
    expect([...(spilled?.keys() ?? [])]).toEqual(['a', 'c', 'd']);
    // It has a twelfth of the instances, and a quarter of the callers.
    expect(spilled?.get('a')).toBeCloseTo(1 / 3);
    expect(spilled?.get('c')).toBeCloseTo(2 / 3 / 6);
    expect(spilled?.get('d')).toBeCloseTo((2 / 3 / 6) * 5);
  });

  it('has an effect from six instances on, and counts callers of other zones only where its own is counted', () => {
    expect(ask('a', { a: 3, b: 3 })).toEqual(new Map([['a', 1]]));
    expect(ask('a', { a: 2, b: 4 }, { b: 9 })).toEqual(ask('a', { a: 2, b: 4 }));
  });

  it('has no effect with few instances, one zone, or an empty local zone', () => {
    expect(ask('a', { a: 2, b: 3 })).toBeUndefined();
    expect(ask('a', { a: 9 })).toBeUndefined();
    expect(ask('a', { b: 5, c: 5 })).toBeUndefined();
  });
});

describe('subsetOf', () => {
  const scored = (count: number, seed: number) =>
    Array.from({ length: count }, (_, n) => ({ n, score: hash(`instance-${n}`, seed) }));

  it('is the whole service up to a hundred instances, and a hundred of more', () => {
    const few = scored(MAX_SUBSET, 1);
    expect(subsetOf(few)).toBe(few);
    expect(subsetOf(scored(1_000, 1))).toHaveLength(MAX_SUBSET);
  });

  it('gives each instance about the same number of clients', () => {
    const clients = new Array<number>(500).fill(0);
    for (let seed = 0; seed < 500; seed++)
      for (const { n } of subsetOf(scored(500, seed * 7_919))) clients[n] = (clients[n] ?? 0) + 1;
    expect(Math.max(...clients)).toBeLessThan(150);
    expect(Math.min(...clients)).toBeGreaterThan(60);
  });

  it('replaces only the instance that leaves', () => {
    const all = scored(1_000, 3);
    const before = subsetOf(all);
    const after = new Set(subsetOf(all.filter((each) => each !== before[0])));
    expect(before.filter((each) => !after.has(each))).toEqual([before[0]]);
  });
});

describe('tables', () => {
  it('Maglev table sizes are prime', () => {
    const isPrime = (n: number): boolean => {
      for (let divisor = 2; divisor * divisor <= n; divisor++) if (n % divisor === 0) return false;
      return true;
    };
    for (const count of [1, 40, 41, 600, 10_000]) {
      const names = Array.from({ length: count }, (_, n) => ({ name: `i${n}`, weight: 1 }));
      const table = new MaglevTable(names);
      expect(isPrime(table.size)).toBe(true);
      expect(table.size).toBeGreaterThanOrEqual(count * 100);
    }
  });

  it('the alias table draws by weight', () => {
    const weights = [1, 2, 3, 4, 0.5];
    const table = new AliasTable(weights);
    const random = new Xorshift(() => 0.37);
    const seen = weights.map(() => 0);
    for (let n = 0; n < 100_000; n++) {
      const at = table.draw(random);
      seen[at] = (seen[at] ?? 0) + 1;
    }
    seen.forEach((count, at) => expect(count / 100_000).toBeCloseTo((weights[at] ?? 0) / 10.5, 1.7));
  });

  it('a smooth sequence contains each target in proportion to its weight', () => {
    const sequence = [...smoothSequence([3, 1])];
    expect(sequence.filter((at) => at === 0)).toHaveLength(3);
    expect(smoothSequence([1_000_003, 999_983]).length).toBeLessThanOrEqual(10_001);
    expect([...smoothSequence([2, 2, 2])].sort()).toEqual([0, 1, 2]);
  });

  it('hashes are spread evenly', () => {
    const buckets = new Array<number>(16).fill(0);
    for (let n = 0; n < 16_000; n++) {
      const at = hash(`user-${n}`) % 16;
      buckets[at] = (buckets[at] ?? 0) + 1;
    }
    for (const count of buckets) expect(Math.abs(count - 1_000)).toBeLessThan(150);
  });
});
