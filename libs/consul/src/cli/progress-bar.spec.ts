import { describe, expect, it } from '@jest/globals';
import { ProgressBar } from './progress-bar.js';

describe('ProgressBar', () => {
  it('appears after a second, and is removed at the end', () => {
    const shown: string[] = [];
    let now = 0;
    const bar = new ProgressBar(
      200,
      (text) => shown.push(text),
      () => now,
    );
    bar.update(10);
    now = 1_500;
    bar.update(100);
    bar.end();
    expect(shown).toEqual([`[${'#'.repeat(15)}${'.'.repeat(15)}] 100 of 200`, '']);
    const quick: string[] = [];
    new ProgressBar(5, (text) => quick.push(text)).end();
    expect(quick).toEqual([]);
  });
});
