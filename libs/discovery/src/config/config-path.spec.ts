import { describe, expect, it } from '@jest/globals';
import { formatConfigPath, parseConfigPath } from './config-path.js';

describe('parseConfigPath', () => {
  it.each([
    ['limits.rate', ['limits', 'rate'], 'limits.rate'],
    ['limits/rate', ['limits', 'rate'], 'limits.rate'],
    ['hosts[0].name', ['hosts', 0, 'name'], 'hosts[0].name'],
    ['hosts[0][1]', ['hosts', 0, 1], 'hosts[0][1]'],
    ['hosts[api.example.com]/port', ['hosts', 'api.example.com', 'port'], 'hosts[api.example.com].port'],
    ['[a/b]', ['a/b'], '[a/b]'],
    ['7', ['7'], '7'],
  ])('%s', (text, path, formatted) => {
    expect(parseConfigPath(text)).toEqual(path);
    expect(formatConfigPath(path)).toBe(formatted);
  });

  it.each([
    '',
    '.',
    'a..b',
    'a/',
    '/a',
    'a[',
    'a[]',
    'a[b',
    '__proto__',
    'a.__proto__.b',
    'a[__proto__]',
    'a'.repeat(40).split('').join('.'),
  ])('refuses %j', (text) => {
    expect(() => parseConfigPath(text)).toThrow(/name|levels/);
  });
});
