import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  adopt,
  changedPaths,
  copyPlain,
  freezeValues,
  isCyclic,
  shareValues,
  valueAt,
} from './plain-values.js';

class Limits {
  list = [{ a: 1 }];
  constructor(readonly rate = 1) {}
}
class Hidden {
  readonly #state: number;
  constructor(state: number) {
    this.#state = state;
  }
  get state(): number {
    return this.#state;
  }
}

describe('versions of values', () => {
  it('shares what has not changed, so that it is the same object', () => {
    const before = freezeValues({
      a: { x: 1 },
      b: { y: [1, { z: 2 }] },
      d: new Date(5),
      m: new Map([['k', 1]]),
    });
    const copy = () => ({ a: { x: 1 }, b: { y: [1, { z: 2 }] }, d: new Date(5), m: new Map([['k', 1]]) });
    const next = shareValues(before, { ...copy(), a: { x: 2 } }) as typeof before;
    expect(next.a).toEqual({ x: 2 });
    for (const name of ['b', 'd', 'm'] as const) expect(next[name]).toBe(before[name]);
    expect(shareValues(before, copy())).toBe(before);
    expect(shareValues({ a: undefined }, {})).toEqual({});
    expect(shareValues(['a'], { 0: 'a' })).toEqual({ 0: 'a' });
  });

  it.each<[string, unknown, unknown, boolean]>([
    ['a URL', new URL('http://a/'), new URL('http://b/'), false],
    ['the same URL', new URL('http://a/'), new URL('http://a/'), true],
    ['a pattern', /a/, /b/, false],
    ['the same pattern', /a/g, /a/g, true],
    ['a set', new Set([1]), new Set([2]), false],
    ['a class with a hidden state', new Hidden(1), new Hidden(2), false],
    ['a date', new Date(1), new Date(2), false],
  ])('sees a change of %s', (_, before, next, isSame) => {
    const shared = shareValues({ v: before }, { v: next }) as { v: unknown };
    expect(shared.v).toBe(isSame ? before : next);
    expect(changedPaths({ v: before }, shared)).toEqual(isSame ? [] : [['v']]);
  });

  it('copies and freezes objects and lists, and leaves what has a class to its owner, unless it was made for the version', () => {
    const foreign = { registry: { entries: [1] }, limits: new Limits() };
    const values = freezeValues(copyPlain(foreign)) as typeof foreign;
    expect(values).toEqual(foreign);
    expect(Object.isFrozen(values.registry.entries)).toBe(true);
    expect([foreign, foreign.registry, foreign.limits].some((each) => Object.isFrozen(each))).toBe(false);
    const own = new Limits();
    adopt(own);
    freezeValues({ own });
    expect(Object.isFrozen(own.list[0])).toBe(true);
    const next = new Limits(2);
    adopt(next);
    const shared = shareValues(own, next) as Limits;
    expect(shared.list).toBe(own.list);
    expect(changedPaths(own, shared)).toEqual([['rate']]);
  });

  it('finds what contains itself', () => {
    const cyclic: Record<string, unknown> = { list: [] };
    (cyclic.list as unknown[]).push({ cyclic });
    expect(isCyclic(cyclic)).toBe(true);
    let shared: unknown = 1;
    for (let level = 0; level < 40; level++) shared = { a: shared, b: shared };
    expect(isCyclic(shared)).toBe(false);
    expect(() => copyPlain(shared)).toThrow(/more than 200000 values/);
    const twice = { a: 1 };
    expect(isCyclic({ one: twice, other: [twice] })).toBe(false);
  });

  it('is equal to the next value, and the same object exactly when nothing has changed', () => {
    fc.assert(
      fc.property(fc.object({ maxDepth: 3 }), fc.object({ maxDepth: 3 }), (before, next) => {
        const copy = structuredClone(next);
        const shared = shareValues(before, next);
        expect(shared).toEqual(copy);
        expect(shared === before).toBe(changedPaths(before, shared).length === 0);
      }),
    );
  });

  it('takes a name without a value for no name', () => {
    const before = { a: undefined, b: 1 };
    expect(shareValues(before, { b: 1 })).toBe(before);
    expect(shareValues(before, { b: 1, c: undefined })).toBe(before);
    const list = [undefined];
    expect(shareValues(list, [])).not.toBe(list);
  });

  it('names what has changed', () => {
    expect(changedPaths({ a: { x: 1, y: 2 }, b: [1] }, { a: { x: 1, y: 3 }, b: [2], c: {} })).toEqual([
      ['a', 'y'],
      ['b'],
      ['c'],
    ]);
    expect(changedPaths({ a: { x: 1 } }, { a: 5 })).toEqual([['a']]);
    expect(changedPaths({ a: { x: 1, y: 1 } }, {})).toEqual([
      ['a', 'x'],
      ['a', 'y'],
    ]);
  });

  it('finds own values only', () => {
    expect(valueAt({ a: [{ b: 1 }] }, ['a', 0, 'b'])).toBe(1);
    expect(valueAt({}, ['toString'])).toBeUndefined();
    expect(valueAt({ a: 'text' }, ['a', 'length'])).toBeUndefined();
  });
});
