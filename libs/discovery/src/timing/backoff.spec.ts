import { describe, expect, it } from '@jest/globals';
import { DiscoveryError } from '../errors/discovery-error.js';
import { retryAfterDelay, backoffDelay } from './backoff.js';

describe('backoffDelay', () => {
  const options = { base: 250, cap: 30_000 };

  it('doubles its ceiling with each failure up to the cap', () => {
    const ceilings = [1, 2, 3, 8, 100].map((failures) => backoffDelay(failures, options, () => 1));
    expect(ceilings).toEqual([250, 500, 1000, 30_000, 30_000]);
  });

  it('spreads over the whole range but never reaches zero', () => {
    expect(backoffDelay(3, options, () => 0)).toBe(100);
    expect(backoffDelay(3, options, () => 0.5)).toBe(550);
  });
});

describe('retryAfterDelay', () => {
  it('is what was asked for plus jitter, at most 72 seconds, and undefined without Retry-After', () => {
    const limited = (retryAfterMs: number): DiscoveryError =>
      new DiscoveryError('RK_REGISTRY_LIMITED', 'slow down', { retryAfterMs });
    expect(retryAfterDelay(limited(5_000), () => 0)).toBe(5_000);
    expect(retryAfterDelay(limited(5_000), () => 1)).toBe(6_000);
    expect(retryAfterDelay(limited(9e9), () => 1)).toBe(72_000);
    expect(retryAfterDelay(new Error('x'), () => 1)).toBeUndefined();
  });
});
