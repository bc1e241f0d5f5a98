import { beforeEach, describe, expect, it } from '@jest/globals';
import type { StoredKey } from '../config-store.js';
import type { VanishedKeyRead } from './judge-key.js';
import { MissingKeys, type Judgement } from './missing-keys.js';

const tree = (...keys: string[]): StoredKey[] =>
  keys.map((key) => ({
    key,
    value: Buffer.from('1'),
    flags: 0,
    createIndex: 1,
    modifyIndex: 1,
    lockIndex: 0,
    session: undefined,
  }));

describe('MissingKeys', () => {
  let missing: MissingKeys;
  let known: StoredKey[];
  let now: number;
  const update = (
    entries: StoredKey[],
    isWatched: boolean,
    read: VanishedKeyRead | Record<string, VanishedKeyRead> = 'missing',
  ): Judgement => {
    const added = missing.note(known, entries, isWatched, false, now);
    return judge(added, added, entries, read);
  };
  const poll = (
    entries: StoredKey[],
    read: VanishedKeyRead | Record<string, VanishedKeyRead> = 'missing',
  ): Judgement => {
    const added = missing.note(known, entries, true, true, now);
    return judge(missing.keys, added, entries, read);
  };
  const judge = (
    keys: readonly string[],
    added: readonly string[],
    entries: StoredKey[],
    read: VanishedKeyRead | Record<string, VanishedKeyRead>,
  ): Judgement => {
    const reads = new Map(
      keys.map((key) => [key, typeof read === 'string' ? read : (read[key] ?? 'missing')]),
    );
    const judgement = missing.judge(keys, reads, added, known.length, entries.length === 0, now);
    const kept = new Set(missing.keys);
    known = [...entries, ...known.filter(({ key }) => kept.has(key))];
    return judgement;
  };
  beforeEach(() => {
    missing = new MissingKeys();
    known = tree('a', 'b', 'c', 'd', 'folder/');
    now = 0;
  });

  it('takes a key that was seen to go for deleted, and a folder for none', () => {
    expect(update(tree('a', 'b'), true).deleted).toEqual(['c', 'd']);
    expect(missing.count).toBe(0);
    expect(update([], true).deleted).toEqual(['a', 'b']);
  });

  it('F60 keeps a hidden key while others are deleted, and after Consul has come back empty', () => {
    const hidden = { d: 'denied' } as const;
    expect(update(tree('b'), true, hidden)).toMatchObject({
      deleted: ['a', 'c'],
      reason: expect.stringMatching(/no longer read/) as unknown,
    });
    expect(poll(tree('b'), hidden).deleted).toEqual([]);
    // An outage, and an empty Consul that lets everyone read.
    expect(update([], false)).toMatchObject({
      deleted: [],
      reason: expect.stringMatching(/empty/) as unknown,
    });
    now += 1e6;
    expect(poll([]).deleted).toEqual([]);
    expect(missing.keys).toEqual(['d', 'b']);
  });

  it('F60 believes no poll that another Consul may have answered', () => {
    update(tree('a', 'b', 'c'), true, 'denied');
    expect(poll([]).deleted).toEqual(['d']);
    expect(missing.keys).toEqual(['a', 'b', 'c']);
    now += 1e6;
    expect(poll([]).deleted).toEqual([]);
  });

  it('F60 gives a tree that is being restored time with every key that returns', () => {
    update([], false);
    now = 3_600_000;
    expect(update(tree('a'), true).deleted).toEqual([]);
    for (const present of [
      ['a', 'b'],
      ['a', 'b', 'c'],
    ]) {
      now += 29_000;
      expect(poll(tree(...present)).deleted).toEqual([]);
    }
    now += 31_000;
    expect(poll(tree('a', 'b', 'c'))).toMatchObject({
      deleted: ['d'],
      deletedReason: 'still missing after 30 s',
    });
  });

  it('lets no other key that comes and goes put off the decision', () => {
    update(tree('a'), false);
    for (let n = 0; n < 4; n++) {
      now += 10_000;
      update(tree('a', `tmp${n}`), true);
      update(tree('a'), true);
    }
    expect(missing.keys).toEqual(['b', 'c', 'd']);
    expect(poll(tree('a')).deleted).toEqual(['b', 'c', 'd']);
  });

  it('decides on keys that were not read by those that were', () => {
    const added = missing.note(known, [], true, false, now);
    const judged = (read: VanishedKeyRead) =>
      missing.judge(added, new Map([['a', read]]), added, known.length, true, now).deleted;
    expect(judged('denied')).toEqual([]);
    expect(judged('missing')).toEqual(['a', 'b', 'c', 'd']);
  });
});
