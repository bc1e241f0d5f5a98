import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock } from '@rookery/test-support';
import { TimerWheel } from './timer-wheel.js';

describe('TimerWheel', () => {
  let clock: FakeClock;
  let wheel: TimerWheel;
  const fired: string[] = [];
  const set = (name: string, milliseconds: number) => wheel.after(milliseconds, () => fired.push(name));

  beforeEach(() => {
    clock = new FakeClock();
    wheel = new TimerWheel(clock);
    fired.length = 0;
  });

  it('fires in order, never early, and at most 10 ms late', async () => {
    set('late', 5_000);
    set('soon', 12);
    set('sooner', 11);
    await clock.advance(10);
    expect(fired).toEqual([]);
    await clock.advance(10);
    expect(fired).toEqual(['sooner', 'soon']);
    await clock.advance(4_970);
    expect(fired).toHaveLength(2);
    await clock.advance(10);
    expect(fired).toEqual(['sooner', 'soon', 'late']);
    expect([clock.pending, wheel.size]).toEqual([0, 0]);
  });

  it('needs one timer for any number of deadlines, and none when all are cancelled', async () => {
    const deadlines = Array.from({ length: 1_000 }, (_, n) => set(`${n}`, 5_000 + n));
    expect(clock.pending).toBe(1);
    for (const deadline of deadlines) deadline.cancel();
    deadlines[0]?.cancel();
    expect([clock.pending, wheel.size]).toEqual([1, 0]);
    // It is left, and not for long: a call soon needs it again.
    await clock.advance(100);
    expect(clock.pending).toBe(0);
  });

  it('isolates a callback that throws', async () => {
    wheel.after(10, () => {
      throw new Error('mine');
    });
    set('second', 10);
    await expect(clock.advance(20)).rejects.toThrow('mine');
    expect(fired).toEqual(['second']);
  });

  it('lets a callback cancel another one that is due, and set a new one', async () => {
    wheel.after(10, () => {
      fired.push('first');
      second.cancel();
      set('third', 10);
    });
    const second = set('second', 10);
    await clock.advance(30);
    expect(fired).toEqual(['first', 'third']);
    expect(wheel.size).toBe(0);
  });
});
