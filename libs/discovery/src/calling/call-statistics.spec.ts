import { describe, expect, it } from '@jest/globals';
import { CallStatistics, ratesBetween } from './call-statistics.js';

describe('CallStatistics', () => {
  it('tells what happened between two moments, quantiles to within 20 %', () => {
    const statistics = new CallStatistics();
    for (let n = 0; n < 50; n++) statistics.add(5_000, true);
    const before = statistics.snapshot;
    for (let n = 1; n <= 100; n++) statistics.add(n, n % 10 === 0);
    const rates = ratesBetween(before, statistics.snapshot);
    expect(rates).toMatchObject({ calls: 100, failed: 10 });
    for (const [share, exact] of [
      [0.5, 50],
      [0.99, 99],
      [1, 100],
    ] as const) {
      const value = rates.quantile(share) ?? 0;
      expect(value).toBeGreaterThanOrEqual(exact / 1.2);
      expect(value).toBeLessThanOrEqual(exact * 1.2);
    }
    expect(ratesBetween(undefined, before)).toMatchObject({ calls: 50, failed: 50 });
    const slow = new CallStatistics();
    for (let n = 0; n < 100; n++) slow.add(60_000, false);
    expect(ratesBetween(undefined, slow.snapshot).quantile(0.99)).toBeGreaterThan(50_000);
    expect(ratesBetween(before, before).quantile(0.5)).toBeUndefined();
  });
});
