import { describe, expect, it } from '@jest/globals';
import { chooseList, type SourceChoice } from './choose-list.js';

const rule = { minInstances: 2, failbackAfterMs: 10_000 };

describe('chooseList', () => {
  it('chooses the first list with enough instances, else the first with any, else the first', () => {
    const choose = (...usable: (number | undefined)[]): number =>
      chooseList(usable, rule, undefined, 0).current;
    expect(choose(2, 5)).toBe(0);
    expect(choose(1, 5)).toBe(1);
    expect(choose(1, 1)).toBe(0);
    expect(choose(0, 1)).toBe(1);
    expect(choose(undefined, 0)).toBe(1);
    expect(choose(undefined, undefined)).toBe(0);
  });

  it('fails over at once, and fails back only after the list was good for a while', () => {
    let choice: SourceChoice | undefined;
    const at = (now: number, ...usable: number[]): number =>
      (choice = chooseList(usable, rule, choice, now)).current;
    expect(at(0, 2, 9)).toBe(0);
    expect(at(1, 1, 9)).toBe(1);
    expect(at(1_000, 2, 9)).toBe(1);
    expect(choice?.recheckAt).toBe(11_000);
    expect(at(5_000, 1, 9)).toBe(1); // below the threshold again: the time starts over
    expect(at(6_000, 2, 9)).toBe(1);
    expect(at(15_999, 2, 9)).toBe(1);
    expect(at(16_000, 2, 9)).toBe(0);
    expect(at(16_001, 0, 9)).toBe(1);
  });

  it('fails back at once when the list in use has too few', () => {
    const on1: SourceChoice = { current: 1, abandoned: [0], candidate: undefined, recheckAt: undefined };
    expect(chooseList([3, 0], rule, on1, 5).current).toBe(0);
  });

  it('measures for each list separately how long it has been good', () => {
    let choice: SourceChoice | undefined = {
      current: 2,
      abandoned: [0, 1],
      candidate: undefined,
      recheckAt: undefined,
    };
    const at = (now: number, ...usable: number[]): number =>
      (choice = chooseList(usable, rule, choice, now)).current;
    expect(at(100, 0, 5, 5)).toBe(2);
    expect(at(10_050, 5, 5, 5)).toBe(2);
    expect(at(10_100, 5, 5, 5)).toBe(2);
    expect(at(20_050, 5, 5, 5)).toBe(0);
  });

  it('does not wait before failing back to a list that was only late at the start', () => {
    const first = chooseList([undefined, 4], rule, undefined, 0);
    expect(first.current).toBe(1);
    expect(chooseList([4, 4], rule, first, 2).current).toBe(0);
  });

  it('says all of its choice', () => {
    const settled = { abandoned: [], candidate: undefined, recheckAt: undefined };
    const first = chooseList([5, 5], rule, undefined, 0);
    expect(first).toEqual({ ...settled, current: 0 });
    expect(chooseList([5, 5], rule, first, 1)).toEqual({ ...settled, current: 0 });
    const left = chooseList([1, 5], rule, first, 2);
    expect(left).toEqual({ ...settled, current: 1, abandoned: [0] });
    const waiting = chooseList([5, 5], rule, left, 100);
    const candidate = { source: 0, since: 100 };
    expect(waiting).toEqual({ current: 1, abandoned: [0], candidate, recheckAt: 10_100 });
    expect(chooseList([5, 5], rule, waiting, 200)).toEqual(waiting);
    expect(chooseList([1, 5], rule, waiting, 300)).toEqual({ ...settled, current: 1, abandoned: [0] });
    expect(chooseList([5, 5], rule, waiting, 10_100)).toEqual({ ...settled, current: 0 });
  });

  it('forgets what it left once it is back at something better', () => {
    const on2: SourceChoice = { current: 2, abandoned: [0, 1], candidate: undefined, recheckAt: undefined };
    expect(chooseList([0, 5, 1], rule, on2, 0)).toMatchObject({ current: 1, abandoned: [0] });
    expect(chooseList([5, 5, 1], rule, on2, 0)).toMatchObject({ current: 0, abandoned: [] });
    expect(chooseList([1, 1, 5], rule, { ...on2, current: 1, abandoned: [0, 1] }, 0).abandoned).toEqual([
      0, 1,
    ]);
  });
});
