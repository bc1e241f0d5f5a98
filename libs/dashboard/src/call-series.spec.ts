import { describe, expect, it } from '@jest/globals';
import type { CallCounts } from '@rookery/discovery/adapter';
import { CallSeries } from './call-series.js';

const counts = (calls: number, failed = 0): CallCounts => {
  const buckets = new Float64Array(84);
  buckets[10] = calls;
  return { calls, failed, buckets };
};

describe('CallSeries', () => {
  it('has a value for each second, however often it is asked', () => {
    const series = new CallSeries();
    series.sample(counts(0), 0);
    for (let ms = 100; ms < 900; ms += 100) expect(series.sample(counts(ms), ms)).toBe(false);
    expect(series.sample(counts(50, 5), 1_000)).toBe(true);
    expect(series.points).toMatchObject([{ perSecond: 50, failedPerSecond: 5 }]);
  });

  it('spreads what happened in a longer gap over its seconds', () => {
    const series = new CallSeries();
    series.sample(counts(0), 0);
    series.sample(counts(100), 5_000);
    expect(series.points.map(({ perSecond }) => perSecond)).toEqual([20, 20, 20, 20, 20]);
    series.sample(counts(100), 500_000);
    expect(series.points).toHaveLength(60);
    expect(series.points.every(({ perSecond }) => perSecond === 0)).toBe(true);
  });

  it('is nothing new while nothing is called', () => {
    const series = new CallSeries();
    expect(series.sample(undefined, 0)).toBe(false);
    series.sample(counts(3), 1_000);
    expect(series.sample(counts(3), 2_000)).toBe(false);
    expect(series.sample(counts(4), 3_000)).toBe(true);
  });
});
