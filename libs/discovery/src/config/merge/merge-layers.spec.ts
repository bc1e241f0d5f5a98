import { describe, expect, it } from '@jest/globals';
import { fillTree } from '../layers/fill-tree.js';
import { mergeLayers } from './merge-layers.js';

const layer = (key: string, value: object) => fillTree([{ path: [], value, key }]);

describe('mergeLayers', () => {
  it.each<[string, object, object, object]>([
    ['objects name by name', { a: { x: 1, y: 2 } }, { a: { y: 3, z: 4 } }, { a: { x: 1, y: 3, z: 4 } }],
    ['a list as a whole', { a: [1, 2, 3] }, { a: [4] }, { a: [4] }],
    ['a value over an object', { a: { x: 1 } }, { a: 5 }, { a: 5 }],
    ['an object over a value', { a: 5 }, { a: { x: 1 } }, { a: { x: 1 } }],
    ['null over a value', { a: 5 }, { a: null }, { a: null }],
    ['null over an object', { a: { x: 1 } }, { a: null }, { a: null }],
    ['an empty object over an object, which stays', { a: { x: 1 } }, { a: {} }, { a: { x: 1 } }],
    ['an object over an empty one', { a: {} }, { a: { x: 1 } }, { a: { x: 1 } }],
    ['an empty object over a value', { a: 1 }, { a: {} }, { a: {} }],
    [
      'names of Object.prototype',
      { constructor: 1 },
      { toString: { a: 2 } },
      { constructor: 1, toString: { a: 2 } },
    ],
  ])('merges %s', (_, first, second, expected) => {
    expect(mergeLayers([layer('first', first), layer('second', second)]).toValue()).toEqual(expected);
  });

  it('knows the key of each value, and what it overrides', () => {
    const merged = mergeLayers([
      layer('first', { a: { x: 1, y: 2 }, b: 1 }),
      layer('second', { a: 3 }),
      layer('third', { a: { x: 4 }, b: 2 }),
    ]);
    const leaves = Object.fromEntries([...merged.leaves()].map(({ path, leaf }) => [path.join('.'), leaf]));
    expect(leaves['a.x']).toEqual({
      value: 4,
      key: 'third',
      overrides: [
        { path: ['a'], key: 'second', value: 3 },
        { path: ['a', 'x'], key: 'first', value: 1 },
        { path: ['a', 'y'], key: 'first', value: 2 },
      ],
    });
    expect(leaves.b).toEqual({
      value: 2,
      key: 'third',
      overrides: [{ path: ['b'], key: 'first', value: 1 }],
    });
  });
});
