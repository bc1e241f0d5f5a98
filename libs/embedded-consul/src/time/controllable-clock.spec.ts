import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { ControllableClock } from './controllable-clock.js';

describe('ControllableClock', () => {
  it('waits for longer than a timer of Node can', async () => {
    const clock = new ControllableClock();
    const monthMs = 720 * 3_600_000;
    let fired = 0;
    clock.after(monthMs, () => fired++);
    clock.after(1, () => undefined);
    clock.advance(1);
    // A timer of Node that is too long fires after a millisecond.
    await new Promise((resolve) => setTimeout(resolve, 5));
    await turn();
    expect(fired).toBe(0);
    clock.advance(monthMs - 60_000);
    expect(fired).toBe(0);
    clock.advance(60_000);
    expect(fired).toBe(1);
    clock.stop();
  });
});
