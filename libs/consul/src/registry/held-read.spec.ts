import { describe, expect, it } from '@jest/globals';
import { spreadAfterRead } from './held-read.js';

describe('spreadAfterRead', () => {
  it.each([
    [1, 0],
    [100, 0],
    [101, 505],
    [150, 750],
    [400, 2_000],
    [3_000, 2_000],
  ])('of %i ms is up to ten times as long, at most four seconds', (tookMs, half) => {
    expect(spreadAfterRead(tookMs, () => 0.5)).toBe(half);
    expect(spreadAfterRead(tookMs, () => 0)).toBe(0);
  });
});
