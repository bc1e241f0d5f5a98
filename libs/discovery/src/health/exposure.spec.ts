import { describe, expect, it } from '@jest/globals';
import { isExposedTo, type Exposure } from './exposure.js';

const request = (host: string | undefined, remoteAddress: string | undefined, headers: object = {}) =>
  ({ headers: { host, ...headers }, socket: { remoteAddress } }) as never;

describe('isExposedTo', () => {
  it.each<[Exposure, string, boolean]>([
    ['none', '127.0.0.1', false],
    ['public', '10.0.0.9', true],
    ['loopback', '10.0.0.9', false],
    ['loopback', '127.0.0.1', true],
  ])('%s to a caller at %s: %s', (exposure, address, isExposed) => {
    expect(isExposedTo(exposure, request('localhost:3000', address))).toBe(isExposed);
  });

  it('is for callers on this host, by their address and by the name that they ask for', () => {
    for (const host of ['localhost', 'LOCALHOST:80', '127.0.0.1', '127.0.1.1:3000', '[::1]', '[::1]:3000'])
      for (const address of ['127.0.0.1', '127.1.2.3', '::1', '::ffff:127.0.0.1'])
        expect([host, address, isExposedTo('loopback', request(host, address))]).toEqual([
          host,
          address,
          true,
        ]);
    // A page of another site that resolves to this host, as a browser would send it.
    for (const host of [
      'evil.example',
      'localhost.evil.example',
      'x127.0.0.1',
      '127.0.0.1.evil.example:80',
      '',
      undefined,
    ])
      expect([host, isExposedTo('loopback', request(host, '127.0.0.1'))]).toEqual([host, false]);
    for (const address of ['::10', '12.7.0.1', '::ffff:10.0.0.1', '10.127.0.1', '', undefined])
      expect([address, isExposedTo('loopback', request('localhost', address))]).toEqual([address, false]);
  });

  it('is not for a page of another site in a browser on this host', () => {
    const from = (headers: object): boolean =>
      isExposedTo('loopback', request('localhost:3000', '127.0.0.1', headers));
    expect(from({ origin: 'https://evil.example' })).toBe(false);
    expect(from({ origin: 'null' })).toBe(false);
    expect(from({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' })).toBe(false);
    expect(from({ origin: 'http://localhost:3000', 'sec-fetch-site': 'same-origin' })).toBe(true);
    // A link that is followed, which no other page can read.
    expect(from({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' })).toBe(true);
  });

  it('is not for what comes through a proxy on this host', () => {
    const headers = { 'x-forwarded-for': '203.0.113.7' };
    expect(isExposedTo('loopback', request('localhost', '127.0.0.1', headers))).toBe(false);
    expect(isExposedTo('public', request('localhost', '127.0.0.1', headers))).toBe(true);
  });
});
