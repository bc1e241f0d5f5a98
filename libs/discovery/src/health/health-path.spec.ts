import { describe, expect, it } from '@jest/globals';
import { isHealthRequest } from './health-path.js';

describe('isHealthRequest', () => {
  it.each(['/health', '/health/ready', '/health?x=1', '/health/my-group'])('is one for %s', (url) => {
    expect(isHealthRequest({ method: 'GET', url }, '/health')).toBe(true);
    expect(isHealthRequest({ method: 'HEAD', url }, '/health')).toBe(true);
    expect(isHealthRequest({ method: 'POST', url }, '/health')).toBe(false);
  });

  it.each([
    '/healthy',
    '/health/',
    '/health/../stock',
    '/health/..',
    '/health/%2e%2e/stock',
    '/health//stock',
    '/health/a/b',
    '/health/a.txt',
    '/health\\..\\stock',
    '//health',
    '/Health',
    'http://other/health',
    '*',
    '',
  ])('is none for %s', (url) => {
    expect(isHealthRequest({ method: 'GET', url }, '/health')).toBe(false);
  });
});
