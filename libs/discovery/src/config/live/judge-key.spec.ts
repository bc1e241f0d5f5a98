import { describe, expect, it } from '@jest/globals';
import { judgeKey, MAX_SUSPECT_MS, type MissingKeyEvidence } from './judge-key.js';

const evidence: MissingKeyEvidence = {
  isWatched: false,
  read: 'missing',
  missingForMs: 0,
  isOneOfFew: false,
  isTreeEmpty: false,
};

describe('judgeKey', () => {
  it.each<[string, Partial<MissingKeyEvidence>, boolean]>([
    ['a key whose deletion was watched', { isWatched: true }, true],
    ['a tree whose deletion was watched', { isWatched: true, isTreeEmpty: true }, true],
    ['an empty tree after a gap', { isTreeEmpty: true }, false],
    ['an empty tree long after a gap', { isTreeEmpty: true, missingForMs: 10 * MAX_SUSPECT_MS }, false],
    ['an empty tree of few keys after a gap', { isTreeEmpty: true, isOneOfFew: true }, false],
    ['most of a tree after a gap', {}, false],
    ['most of a tree long after a gap', { missingForMs: MAX_SUSPECT_MS }, true],
    ['few keys after a gap', { isOneOfFew: true }, true],
    ['a key that the token may not read', { isWatched: true, read: 'denied' }, false],
    ['a key that is there', { isWatched: true, read: 'present' }, false],
    [
      'a key of which nothing could be learned',
      { isWatched: true, read: 'failed', missingForMs: 1e6 },
      false,
    ],
  ])('F60 %s', (_, change, isDeleted) => {
    expect(judgeKey({ ...evidence, ...change }).isDeleted).toBe(isDeleted);
  });
});
