import { describe, expect, it } from '@jest/globals';
import { fillTree } from './layers/fill-tree.js';
import { unusedValues } from './unused-values.js';

describe('unusedValues', () => {
  const tree = fillTree([
    { path: ['limits', 'rte'], value: 1, key: 'k1' },
    { path: ['limits', 'burst'], value: 1, key: 'k2' },
    { path: ['other', 'x'], value: 1, key: 'k3' },
    { path: ['list'], value: [1], key: 'k4' },
    { path: ['made', 'of', 'it'], value: 1, key: 'k5' },
  ]);

  it('finds what a schema has dropped, and what may have been meant', () => {
    const values = { limits: { rate: 5, burst: 1 }, list: [1], made: 'another' };
    expect(unusedValues(tree, values)).toEqual([
      { key: 'k1', path: 'limits.rte', close: 'limits.rate' },
      { key: 'k3', path: 'other.x', close: undefined },
    ]);
    expect(unusedValues(tree, tree.toValue())).toEqual([]);
    const many = fillTree(
      Array.from({ length: 20_000 }, (_, n) => ({ path: [`some-name-${n}`], value: 1, key: 'k' })),
    );
    const schema = Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`other-name-${n}`, 1]));
    expect(unusedValues(many, schema)).toHaveLength(20_000);
  });
});
