import { describe, expect, it } from '@jest/globals';
import { keysToRead } from './vanished-keys.js';

describe('keysToRead', () => {
  const keys = (count: number, folder: string): string[] =>
    Array.from({ length: count }, (_, n) => `${folder}k${n}`);

  it('reads all of a few, and of many at least one in each folder', () => {
    expect(keysToRead(keys(64, 'a/'))).toHaveLength(64);
    const many = [...keys(500, 'a/'), ...keys(3, 'b/'), ...keys(1, 'b/c/')];
    const chosen = keysToRead(many);
    expect(chosen.length).toBeLessThanOrEqual(64);
    expect(chosen.length).toBeGreaterThan(50);
    for (const folder of ['a/k', 'b/k', 'b/c/k'])
      expect(chosen.some((key) => key.startsWith(folder))).toBe(true);
    expect(new Set(chosen).size).toBe(chosen.length);
    const folders = Array.from({ length: 200 }, (_, n) => `f${n}/k`);
    expect(keysToRead(folders)).toHaveLength(64);
  });
});
