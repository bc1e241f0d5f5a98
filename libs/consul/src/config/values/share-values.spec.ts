import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { changedPaths, freezeValues, shareValues, valueAt } from './share-values.js';

describe('versions of values', () => {
  it('shares what has not changed, so that it is the same object', () => {
    const before = freezeValues({ a: { x: 1 }, b: { y: [1, { z: 2 }] }, d: new Date(5) });
    const next = shareValues(before, {
      a: { x: 2 },
      b: { y: [1, { z: 2 }] },
      d: new Date(5),
    }) as typeof before;
    expect(next).toEqual({ a: { x: 2 }, b: { y: [1, { z: 2 }] }, d: new Date(5) });
    expect(next.b).toBe(before.b);
    expect(next.d).toBe(before.d);
    expect(shareValues(before, { a: { x: 1 }, b: { y: [1, { z: 2 }] }, d: new Date(5) })).toBe(before);
    expect(shareValues(before, { a: { x: 1 } })).toEqual({ a: { x: 1 } });
    expect(shareValues({ a: undefined }, {})).toEqual({});
    expect(shareValues(before, Object.freeze({ a: { x: 1 } }))).toEqual({ a: { x: 1 } });
  });

  it('freezes all levels, instances of classes included', () => {
    class Limits {
      list = [{ a: 1 }];
    }
    const values = freezeValues({ limits: new Limits(), bytes: new Uint8Array(1) });
    expect(Object.isFrozen(values.limits.list[0])).toBe(true);
    expect(Object.isFrozen(values.limits)).toBe(true);
  });

  it('is equal to the next value, and the same object exactly when nothing has changed', () => {
    fc.assert(
      fc.property(fc.object({ maxDepth: 3 }), fc.object({ maxDepth: 3 }), (before, next) => {
        const copy = structuredClone(next);
        const shared = shareValues(before, next);
        expect(shared).toEqual(copy);
        expect(shared === before).toBe(changedPaths(before, copy).length === 0);
      }),
    );
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
