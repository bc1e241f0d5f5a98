import { describe, expect, it } from '@jest/globals';
import { decodeHolders, encodeHolders, liveHolders } from './semaphore-holders.js';

const bytes = (text: string): Buffer => Buffer.from(text);

describe('the holders of a semaphore', () => {
  it('are as the Go client writes and reads them', () => {
    const text = '{"Limit":2,"Holders":{"s1":true,"s2":true}}';
    const decoded = decodeHolders('p/.lock', bytes(text), 2);
    expect(decoded).toEqual({ limit: 2, holders: ['s1', 's2'] });
    expect(encodeHolders(decoded)).toBe(text);
  });

  it.each([
    ['no key', undefined],
    ['an empty key', bytes('')],
  ])('are none with %s', (_name, value) => {
    expect(decodeHolders('p/.lock', value, 3)).toEqual({ limit: 3, holders: [] });
  });

  it.each(['{"Limit":2}', '{"Limit":2,"Holders":null}', '{"Limit":2,"Holders":{"s1":false}}'])(
    'are none in %s',
    (text) => {
      expect(decodeHolders('p/.lock', bytes(text), 3)).toEqual({ limit: 2, holders: [] });
    },
  );

  it.each(['no JSON', 'null', '[]', '{"Limit":"2"}', '{"Limit":2,"Holders":"s1"}'])(
    'are refused in %s',
    (text) => {
      expect(() => decodeHolders('p/.lock', bytes(text), 3)).toThrow(
        'p/.lock is in use, and not as a semaphore',
      );
    },
  );

  it('count only while their sessions are alive', () => {
    expect(liveHolders({ limit: 3, holders: ['a', 'b'] }, new Set(['b', 'c']))).toEqual(['b']);
  });
});
