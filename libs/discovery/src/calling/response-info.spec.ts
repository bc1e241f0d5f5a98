import { describe, expect, it } from '@jest/globals';
import { fetchResponseInfo, parsedResponseInfo, parseRetryAfter } from './response-info.js';

describe('what a response says about its instance', () => {
  const headers = {
    'retry-after': '3',
    'endpoint-load-metrics': 'TEXT x=1',
    'rookery-service': 'inventory',
  };

  it('is read of an error: when to come back, and whether it is misdirected', () => {
    expect(parsedResponseInfo(421, headers)).toEqual({
      ...{ status: 421, retryAfter: '3', load: 'TEXT x=1', isMisdirected: true },
    });
    expect(parsedResponseInfo(400, headers)).toMatchObject({ retryAfter: '3', isMisdirected: true });
  });

  it('is only the load of one that is none', () => {
    expect(parsedResponseInfo(399, headers)).toEqual({
      ...{ status: 399, retryAfter: undefined, load: 'TEXT x=1', isMisdirected: false },
    });
  });

  it('is nothing where the headers are missing, or several', () => {
    const nothing = { status: 503, retryAfter: undefined, load: undefined, isMisdirected: false };
    expect(parsedResponseInfo(503, {})).toEqual(nothing);
    const several = { 'retry-after': ['1', '2'], 'endpoint-load-metrics': ['a', 'b'] };
    expect(parsedResponseInfo(503, several)).toEqual(nothing);
  });

  it('is read of a Response of fetch', () => {
    expect(fetchResponseInfo(new Response('', { status: 503, headers }))).toEqual({
      ...{ status: 503, retryAfter: '3', load: 'TEXT x=1', isMisdirected: true },
    });
    expect(fetchResponseInfo(new Response(''))).toEqual({
      ...{ status: 200, retryAfter: undefined, load: undefined, isMisdirected: false },
    });
    for (const other of [undefined, null, 'text', { status: 200 }, { status: '200', headers: new Headers() }])
      expect(fetchResponseInfo(other)).toBeUndefined();
  });

  it('is a time in the future, in seconds or as a date', () => {
    const now = Date.parse('2026-11-29T12:00:00Z');
    expect(parseRetryAfter(' 7 ', now)).toBe(7_000);
    expect(parseRetryAfter('Sun, 29 Nov 2026 12:00:30 GMT', now)).toBe(30_000);
    for (const none of [undefined, '0', '-1', 'soon', 'Sun, 29 Nov 2026 12:00:00 GMT'])
      expect(parseRetryAfter(none, now)).toBeUndefined();
  });
});
