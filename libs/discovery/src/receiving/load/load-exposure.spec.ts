import { describe, expect, it } from '@jest/globals';
import { isToldTo } from './load-exposure.js';

describe('isToldTo', () => {
  it.each(['10.2.3.4', '172.31.0.1', '192.168.1.1', '100.64.0.1', '127.0.0.1', '::1', 'fd00::1', 'fe80::1'])(
    'private: %s',
    (address) => {
      expect(isToldTo('private', address)).toBe(true);
      expect(isToldTo('none', address)).toBe(false);
    },
  );

  it.each(['203.0.113.1', '172.32.0.1', '2001:db8::1', 'nonsense', ''])('a stranger: %s', (address) => {
    expect(isToldTo('private', address)).toBe(false);
    expect(isToldTo('public', address)).toBe(true);
  });

  it('knows an IPv4 address on a socket of IPv6, and sockets of this host', () => {
    expect(isToldTo('private', '::ffff:10.0.0.1')).toBe(true);
    expect(isToldTo('private', '::ffff:203.0.113.1')).toBe(false);
    expect(isToldTo('private', undefined)).toBe(true);
  });
});
