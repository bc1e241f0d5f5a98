import { describe, expect, it } from '@jest/globals';
import { keyIssue } from './key-issue.js';

describe('keyIssue', () => {
  it.each([
    ['locks/import', undefined],
    ['/a/b', undefined],
    ['config/\u{1f600}', undefined],
    ['a//b', 'has two slashes in a row'],
    ['a/../b', 'has a segment "." or ".."'],
    ['a\nb', 'has a control character'],
    ['locks/\ud83d', 'has half of a surrogate pair'],
    ['locks/\ude00', 'has half of a surrogate pair'],
  ])('of %j is %s', (key, issue) => {
    expect(keyIssue(key)).toBe(issue);
  });
});
