import { describe, expect, it } from '@jest/globals';
import { evict } from './evict.js';

describe('evict', () => {
  it('removes the oldest that is expendable, else the oldest', () => {
    const entries = new Map([
      ['a', 1],
      ['b', 20],
      ['c', 30],
    ]);
    const isExpendable = (value: number): boolean => value >= 20;
    expect(evict(entries, isExpendable)).toBe(20);
    expect([...entries.keys()]).toEqual(['a', 'c']);
    expect(evict(entries, isExpendable)).toBe(30);
    expect(evict(entries, isExpendable)).toBe(1);
    expect(evict(entries, isExpendable)).toBeUndefined();
    expect(entries.size).toBe(0);
  });
});
