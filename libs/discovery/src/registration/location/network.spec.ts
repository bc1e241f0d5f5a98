import { describe, expect, it } from '@jest/globals';
import { parseNetwork } from './network.js';

describe('parseNetwork', () => {
  it.each([
    ['10.0.0.0/8', '10.255.0.1', '11.0.0.1'],
    ['192.168.1.7/32', '192.168.1.7', '192.168.1.8'],
    ['fd00::/8', 'fd12::1', 'fe80::1'],
    ['::1/128', '::1', '::2'],
  ])('%s contains %s and not %s', (cidr, within, outside) => {
    const network = parseNetwork(cidr);
    expect([network?.contains(within), network?.contains(outside)]).toEqual([true, false]);
  });

  it('contains what is of its own family only', () => {
    expect(parseNetwork('0.0.0.0/0')?.contains('::1')).toBe(false);
    expect(parseNetwork('::/0')?.contains('10.0.0.1')).toBe(false);
    expect(parseNetwork('0.0.0.0/0')?.contains('a host')).toBe(false);
  });

  it.each(['', '10.0.0.0', '10.0.0.0/33', '10.0.0.0/', 'fd00::/129', 'host/8', '10.0.0.0/8/8', '10.0.0/8'])(
    '%j is none',
    (text) => {
      expect(parseNetwork(text)).toBeUndefined();
    },
  );

  it('takes as many bits as an address has', () => {
    expect(parseNetwork('10.0.0.0/32')?.contains('10.0.0.0')).toBe(true);
    expect(parseNetwork('10.0.0.0/0')?.contains('11.0.0.0')).toBe(true);
    expect(parseNetwork('fd00::/33')?.contains('fd00::1')).toBe(true);
  });
});
