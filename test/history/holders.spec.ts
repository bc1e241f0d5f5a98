import { describe, expect, it } from '@jest/globals';
import { overlaps, violations, type Holder } from './holders.js';

const holder = (worker: string, fence: number, from: number, to: number, isLost = false): Holder => ({
  worker,
  fence,
  from,
  to,
  isLost,
});

describe('holders of a lock', () => {
  it('one after the other are right, whatever their order in the history', () => {
    const holders = [holder('b', 7, 10, 20), holder('a', 3, 0, 10), holder('a', 9, 25, Infinity)];
    expect(overlaps(holders)).toEqual([]);
    expect(violations(holders)).toEqual([]);
  });

  it('an overlap is right only if the earlier one lost the lock, and knew', () => {
    const later = holder('b', 7, 8, 20);
    expect(violations([holder('a', 3, 0, 10, true), later])).toEqual([]);
    expect(overlaps([holder('a', 3, 0, 10, true), later])).toMatchObject([{ ms: 2 }]);
    expect(violations([holder('a', 3, 0, 10, false), later])).toHaveLength(1);
    expect(violations([holder('a', 3, 0, Infinity, true), later])).toHaveLength(1);
    // The later one may not be the one that is told.
    expect(violations([holder('a', 3, 0, 10, false), { ...later, isLost: true }])).toHaveLength(1);
  });

  it('the same fence twice is a violation', () => {
    expect(violations([holder('a', 3, 0, 1), holder('b', 3, 2, 3)])).toEqual(['fence 3 of a and of b']);
  });
});
