import { describe, expect, it } from '@jest/globals';
import { backoffPause } from './backoff.js';

describe('backoffPause', () => {
  const options = { base: 250, cap: 30_000 };

  it('doubles its ceiling with each failure up to the cap', () => {
    const ceilings = [1, 2, 3, 8, 100].map((failures) => backoffPause(failures, options, () => 1));
    expect(ceilings).toEqual([250, 500, 1000, 30_000, 30_000]);
  });

  it('spreads over the whole range but never reaches zero', () => {
    expect(backoffPause(3, options, () => 0)).toBe(100);
    expect(backoffPause(3, options, () => 0.5)).toBe(550);
  });
});
