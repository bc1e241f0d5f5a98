import { describe, expect, it } from '@jest/globals';
import { PeakLatency } from './peak-latency.js';

/** Samples each 10 ms. */
function observed(...samples: readonly number[]): PeakLatency {
  const latency = new PeakLatency();
  for (const [n, sample] of samples.entries()) latency.observe(10 * n, sample);
  return latency;
}

const times = (count: number, sample: number): number[] => Array.from({ length: count }, () => sample);

describe('PeakLatency', () => {
  it('follows a slow response at once, and fast ones gradually', () => {
    expect(observed(2, 60).valueMs).toBe(60);
    const after = observed(2, 60, ...times(10, 2)).valueMs;
    expect(after).toBeLessThan(60);
    expect(after).toBeGreaterThan(55);
  });

  it('forgets a single slow response after twenty that were much faster', () => {
    expect(observed(...times(50, 2), 60, ...times(19, 2)).valueMs).toBeGreaterThan(55);
    expect(observed(...times(50, 2), 60, ...times(20, 2)).valueMs).toBeLessThan(3);
  });

  it('remembers slow responses that come again', () => {
    const often = [60, ...times(15, 2)];
    expect(observed(...often, ...often, ...often).valueMs).toBeGreaterThan(55);
  });

  it('forgets a slow response after five seconds, however few calls there are', () => {
    const latency = observed(2, 60, 2, 2, 2);
    latency.observe(5_005, 2);
    latency.decay(5_009, 1_000);
    expect(latency.valueMs).toBeGreaterThan(20);
    latency.observe(5_011, 2);
    latency.decay(5_011, 1_000);
    expect(latency.valueMs).toBeLessThan(20);
  });
});
