import { describe, expect, it } from '@jest/globals';
import { withoutUrlSecrets } from './without-url-secrets.js';

describe('withoutUrlSecrets', () => {
  it.each([
    ['http://ops:geheim@10.0.0.1:80/health', 'http://10.0.0.1:80/health'],
    [' https:///ops:geheim@host/h', ' https:///host/h'],
    [
      'HTTP GET http://a:b@c/x?token=abc: 503 Service Unavailable Output: no',
      'HTTP GET http://c/x?…: 503 Service Unavailable Output: no',
    ],
    ['Get "http://a:p%40@c/x?token=a:b": dial tcp', 'Get "http://c/x?…": dial tcp'],
    ['http://a:b@@c/, http://d:e@f.', 'http://c/, http://f.'],
    ['http://host/@me and someone@example.org', 'http://host/@me and someone@example.org'],
    ['connection refused', 'connection refused'],
    ['', ''],
  ])('of %j is %j', (text, shown) => {
    expect(withoutUrlSecrets(text)).toBe(shown);
  });
});
