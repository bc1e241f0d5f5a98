import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '@rookery/test-support';
import { Debounce } from './debounce.js';

describe('Debounce', () => {
  it('runs once for a series, and during one without end at the latest after four times the pause', async () => {
    const clock = new FakeClock();
    const ranAt: number[] = [];
    const debounce = new Debounce(clock, 250, () => ranAt.push(clock.now()));
    debounce.trigger();
    await clock.advance(100);
    debounce.trigger();
    await clock.advance(1_000);
    expect(ranAt.splice(0)).toEqual([350]);
    for (let at = 0; at < 2_000; at += 100) {
      debounce.trigger();
      await clock.advance(100);
    }
    expect(ranAt).toEqual([2_100, 3_100]);
    debounce.trigger();
    debounce.stop();
    await clock.advance(5_000);
    expect(ranAt).toHaveLength(2);
    expect(clock.pending).toBe(0);
  });
});
