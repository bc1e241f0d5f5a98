import { describe, expect, it } from '@jest/globals';
import { judgeTree, MAX_SUSPECT_MS, type TreeEvidence } from './judge-tree.js';

const evidence: TreeEvidence = {
  known: 10,
  vanished: 10,
  remaining: 0,
  isContinuous: false,
  vanishedKeys: ['missing', 'missing'],
  missingForMs: undefined,
};

describe('judgeTree', () => {
  it.each<[string, Partial<TreeEvidence>, boolean]>([
    ['a tree whose deletion was watched', { isContinuous: true }, true],
    ['a key whose deletion was watched', { isContinuous: true, vanished: 1, remaining: 9 }, true],
    ['an empty tree after a gap', {}, false],
    ['an empty tree long after a gap', { missingForMs: 10 * MAX_SUSPECT_MS }, false],
    ['more than half after a gap', { vanished: 6, remaining: 4 }, false],
    ['more than half long after a gap', { vanished: 6, remaining: 4, missingForMs: MAX_SUSPECT_MS }, true],
    ['half after a gap', { vanished: 5, remaining: 5 }, true],
    ['half of a tree that has lost more before', { vanished: 5, remaining: 5, missingForMs: 0 }, false],
    [
      'an empty folder that was made on purpose, after a while',
      { remaining: 1, missingForMs: MAX_SUSPECT_MS },
      true,
    ],
    ['keys that the token may not read', { isContinuous: true, vanishedKeys: ['missing', 'denied'] }, false],
    ['keys that are there', { isContinuous: true, vanishedKeys: ['missing', 'present'] }, false],
    [
      'keys of which nothing could be learned',
      { isContinuous: true, vanishedKeys: ['missing', 'failed'] },
      false,
    ],
  ])('F60 %s', (_, change, isAccepted) => {
    expect(judgeTree({ ...evidence, ...change }).isAccepted).toBe(isAccepted);
  });
});
