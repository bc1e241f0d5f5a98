import { describe, expect, it } from '@jest/globals';
import { WatchSlots } from './watch-slots.js';

describe('WatchSlots', () => {
  it('gives each claim one slot, counts those that wait, and hands on a released one', () => {
    const slots = new WatchSlots(1);
    const [first, second] = [slots.claim(), slots.claim()];
    expect([first.take(), first.take(), second.take(), second.take()]).toEqual([true, true, false, false]);
    expect([slots.taken, slots.waiting]).toEqual([1, 1]);
    first.release();
    first.release();
    expect(second.take()).toBe(true);
    expect([slots.taken, slots.waiting]).toEqual([1, 0]);
    second.release();
    expect([slots.taken, slots.waiting]).toEqual([0, 0]);
  });
});
