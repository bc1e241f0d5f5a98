import { describe, expect, it } from '@jest/globals';
import { LatencyQuantile } from './latency-quantile.js';

const of = (...samples: readonly number[]): LatencyQuantile => {
  const latencies = new LatencyQuantile();
  for (const sample of samples) latencies.add(sample);
  return latencies;
};
const times = (count: number, sample: number): number[] => Array.from({ length: count }, () => sample);

describe('LatencyQuantile', () => {
  it('is known from twenty samples on', () => {
    expect(of(...times(19, 5)).at(0.5)).toBeUndefined();
    expect(of(...times(20, 5)).at(0.5)).toBeDefined();
  });

  it('is at least the quantile, and at most a fifth above it', () => {
    for (const sample of [0.11, 1, 5, 37, 900, 4_600]) {
      const found = of(...times(20, sample)).at(0.95) ?? NaN;
      expect(found).toBeGreaterThanOrEqual(sample * 0.999_999);
      expect(found).toBeLessThan(sample * 1.21);
    }
  });

  it('ends at both ends of its scale', () => {
    expect(of(...times(20, 0)).at(0.5)).toBe(0.1);
    expect(of(...times(20, 0.1)).at(0.5)).toBe(0.1);
    expect(of(...times(20, 60_000)).at(0.5)).toBeCloseTo(0.1 * 1.2 ** 59, 6);
  });

  it('counts up to its share', () => {
    const latencies = of(...times(90, 1), ...times(10, 1_000));
    expect(latencies.at(0.9)).toBeLessThan(1.3);
    expect(latencies.at(0.901)).toBeGreaterThan(1_000);
  });

  it('halves all counts after two thousand samples', () => {
    const latencies = of(...times(1_000, 1), ...times(1_000, 100));
    expect(latencies.at(0.5)).toBeLessThan(1.3);
    // Of 500 and 500: 300 more decide, where they would not beside 1,000 and 1,000 at 0.6.
    for (const sample of times(300, 100)) latencies.add(sample);
    expect(latencies.at(0.385)).toBeGreaterThan(99);
    expect(latencies.at(0.384)).toBeLessThan(1.3);
  });

  it('is accurate to within a fifth, and undefined with too few samples', () => {
    const quantile = new LatencyQuantile();
    for (let n = 0; n < 19; n++) quantile.add(5);
    expect(quantile.at(0.95)).toBeUndefined();
    for (let n = 1; n <= 1_000; n++) quantile.add(n / 10);
    const p95 = quantile.at(0.95) ?? 0;
    expect(p95).toBeGreaterThanOrEqual(94);
    expect(p95).toBeLessThan(95 * 1.2);
  });

  it('forgets the past', () => {
    const quantile = new LatencyQuantile();
    for (let n = 0; n < 5_000; n++) quantile.add(1_000);
    for (let n = 0; n < 20_000; n++) quantile.add(1);
    expect(quantile.at(0.95)).toBeLessThan(2);
  });
});
