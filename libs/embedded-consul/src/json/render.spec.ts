import { describe, expect, it } from '@jest/globals';
import { renderJson } from './render.js';

describe('renderJson', () => {
  it('writes 64-bit numbers as numbers', () => {
    expect(renderJson({ index: 18_446_744_073_709_551_615n, list: [1n, 2] }, false)).toBe(
      '{"index":18446744073709551615,"list":[1,2]}',
    );
  });

  it.each(['a\u0000b', '\u00005\u0000', String.raw`\u0000`, '"\u0000', '5'])(
    'leaves a text as it is: %j',
    (text) => {
      expect(JSON.parse(renderJson({ text }, true))).toEqual({ text });
    },
  );
});
