import { getEventListeners } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '@rookery/test-support';
import { withTimeout } from './with-timeout.js';

const never = new Promise<never>(() => undefined);
const late = (): Error => new Error('too late');

describe('withTimeout', () => {
  it.each([
    ['work that ends', Promise.resolve(1), 'fulfilled'],
    ['work that fails', Promise.reject(new Error('no')), 'rejected'],
    ['work that is late, and never ends', never, 'rejected'],
  ])('leaves neither a timer nor a listener after %s', async (_, work, expected) => {
    const clock = new FakeClock();
    const { signal } = new AbortController();
    const [result] = await Promise.all([
      Promise.allSettled([withTimeout(clock, 10, work, late, signal)]),
      clock.advance(10),
    ]);
    expect(result[0].status).toBe(expected);
    await clock.advance(0);
    expect([clock.pending, getEventListeners(signal, 'abort')]).toEqual([0, []]);
  });

  it('rejects with the reason of its signal', async () => {
    const clock = new FakeClock();
    const aborting = new AbortController();
    const result = withTimeout(clock, 10, never, late, aborting.signal);
    aborting.abort(new Error('enough'));
    await expect(result).rejects.toThrow('enough');
    expect([clock.pending, getEventListeners(aborting.signal, 'abort')]).toEqual([0, []]);
  });
});
