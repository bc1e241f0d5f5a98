import { describe, expect, it } from '@jest/globals';
import { encodeRange } from './key-range.js';

describe('encodeRange', () => {
  it.each([
    [{ prefix: 'app/' }, 'app/', 'app0'],
    [{ prefix: 'é' }, 'é', Buffer.from([0xc3, 0xaa]).toString()],
  ])('%j ends before the first key without the prefix', (range, key, end) => {
    expect(encodeRange(range)).toEqual({ key: Buffer.from(key), range_end: Buffer.from(end) });
  });

  it('has no end for one key, and is everything for an empty prefix', () => {
    expect(encodeRange('a')).toEqual({ key: Buffer.from('a') });
    expect(encodeRange({ prefix: '' })).toEqual({ key: Buffer.from([0]), range_end: Buffer.from([0]) });
  });
});
