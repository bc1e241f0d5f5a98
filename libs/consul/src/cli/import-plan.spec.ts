import { describe, expect, it } from '@jest/globals';
import type { KvEntry } from '../client/api/types.js';
import { planImport, toTransactions, type PlannedChange } from './import-plan.js';

const entry = (key: string, value: string, modifyIndex = 5): KvEntry => ({
  key,
  value: Buffer.from(value),
  flags: 0,
  createIndex: 1,
  modifyIndex,
  lockIndex: 0,
  session: undefined,
});
const file = (key: string, content: string) => ({ key, content: Buffer.from(content) });
const shown = ({ kind, key, after, modifyIndex }: PlannedChange) => [
  kind,
  key,
  after?.toString(),
  modifyIndex,
];

describe('planImport', () => {
  it('compares without the line break at the end of a file, and deletes only with prune', () => {
    const present = [
      entry('a', '1'),
      entry('b', 'ends\n'),
      entry('c', 'old', 9),
      entry('d', 'x'),
      entry('folder/', ''),
    ];
    const files = [file('a', '1\n'), file('b', 'ends\n'), file('c', 'new\r\n'), file('e.yml', 'a: 1\n')];
    expect(planImport(present, files, false).map(shown)).toEqual([
      ['update', 'c', 'new', 9],
      ['create', 'e.yml', 'a: 1\n', 0],
    ]);
    expect(planImport(present, files, true).map(shown)).toContainEqual(['delete', 'd', undefined, 5]);
    expect(planImport(present, files, true)).toHaveLength(3);
  });
});

describe('toTransactions', () => {
  const changes = (count: number, bytes: number) =>
    planImport(
      [],
      Array.from({ length: count }, (_, n) => file(`k${n}`, 'x'.repeat(bytes))),
      false,
    );

  it.each([
    [0, 1, []],
    [64, 1, [64]],
    [65, 1, [64, 1]],
    [200, 1, [64, 64, 64, 8]],
    [5, 200_000, [1, 1, 1, 1, 1]],
    [10, 100_000, [3, 3, 3, 1]],
    [2, 500_000, [1, 1]],
  ])('%i keys of %i bytes', (count, bytes, sizes) => {
    expect(toTransactions(changes(count, bytes)).map(({ length }) => length)).toEqual(sizes);
  });
});
