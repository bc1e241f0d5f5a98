import { describe, expect, it } from '@jest/globals';
import type { KvEntry } from '../client/api/types.js';
import {
  fitsTransaction,
  planImport,
  toOperation,
  toTransactions,
  type PlannedChange,
} from './import-plan.js';

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

describe('a planned change', () => {
  const of = (key: string, content: string): PlannedChange => {
    const [change] = planImport([], [file(key, content)], false);
    if (!change) throw new Error('there is none');
    return change;
  };

  it('has what is needed to apply it, while the key is as it was', () => {
    const present = [{ ...entry('a', 'x', 9), flags: 3 }, entry('b', 'y', 8)];
    const changes = planImport(present, [file('a', 'z'), file('c', 'new')], true);
    expect(changes.map(toOperation)).toEqual([
      { type: 'compareAndSet', key: 'a', value: Buffer.from('z'), flags: 3, modifyIndex: 9 },
      { type: 'compareAndSet', key: 'c', value: Buffer.from('new'), flags: 0, modifyIndex: 0 },
      { type: 'compareAndDelete', key: 'b', modifyIndex: 8 },
    ]);
    expect(changes[2]).toMatchObject({
      kind: 'delete',
      before: Buffer.from('y'),
      after: undefined,
      flags: 0,
    });
  });

  it('has at most 512 KiB', () => {
    expect(of('a', 'x'.repeat(524_288)).after).toHaveLength(524_288);
    expect(() => of('a', 'x'.repeat(524_289))).toThrow(
      'a: the file has 524289 bytes, and Consul takes at most 524288',
    );
  });

  it('fits a transaction up to its limit, and fills one up to it', () => {
    // In base64, with 83 bytes around it.
    expect(fitsTransaction(of('a', 'x'.repeat(374_937)))).toBe(true);
    expect(fitsTransaction(of('a', 'x'.repeat(374_938)))).toBe(false);
    const half = 'x'.repeat(187_437);
    const counts = (...contents: string[]): number[] => {
      const files = contents.map((content, n) => file(`k${n}`, content));
      return toTransactions(planImport([], files, false)).map(({ length }) => length);
    };
    expect(counts(half, half)).toEqual([2]);
    expect(counts(half, `${half}x`)).toEqual([1, 1]);
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
