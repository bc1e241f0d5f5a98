import { describe, expect, it } from '@jest/globals';
import { isSigned, signFor } from './peer-signature.js';

const SECRET = 'a-secret-of-the-system';

describe('the signature of an app', () => {
  it('holds for one host and a minute, and does not contain the secret', () => {
    const signed = signFor('10.0.0.1:80', SECRET, 1_000);
    expect(signed).not.toContain(SECRET);
    expect(isSigned(signed, '10.0.0.1:80', SECRET, 50_000)).toBe(true);
    expect(isSigned(signed, '10.0.0.2:80', SECRET, 50_000)).toBe(false);
    expect(isSigned(signed, '10.0.0.1:80', 'another', 50_000)).toBe(false);
    expect(isSigned(signed, '10.0.0.1:80', SECRET, 62_000)).toBe(false);
    for (const wrong of [undefined, '', SECRET, '1000.', `1000.${'0'.repeat(64)}`, ['1000', 'x']])
      expect(isSigned(wrong, '10.0.0.1:80', SECRET, 1_000)).toBe(false);
  });
});
