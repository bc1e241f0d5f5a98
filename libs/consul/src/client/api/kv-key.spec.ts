import { describe, expect, it } from '@jest/globals';
import { kvPath } from './kv-key.js';

describe('kvPath', () => {
  it.each([
    ['a/b/c', '/v1/kv/a/b/c'],
    ['folder/', '/v1/kv/folder/'],
    ['', '/v1/kv/'],
    ['ä b?c', '/v1/kv/%C3%A4%20b%3Fc'],
    ['..a/b..', '/v1/kv/..a/b..'],
  ])('%p is at %p', (key, path) => {
    expect(kvPath(key)).toBe(path);
  });

  it.each(['/a', 'a//b', 'a/../b', './a', 'a/..', 'a\nb', 'a\u0000b'])(
    'refuses %p, which Consul would change into another key',
    (key) => {
      expect(() => kvPath(key)).toThrow(/^key: .* Use a key such as/);
    },
  );
});
