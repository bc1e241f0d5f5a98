import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock } from '@rookery/test-support';
import { Diagnosis } from './diagnosis.js';

describe('Diagnosis', () => {
  let clock: FakeClock;
  beforeEach(() => {
    clock = new FakeClock();
  });

  it('asks once for all calls of ten seconds', async () => {
    let asked = 0;
    const diagnosis = new Diagnosis(clock, async () => `answer ${++asked}`);
    expect(await Promise.all([diagnosis.get(), diagnosis.get()])).toEqual(['answer 1', 'answer 1']);
    await clock.advance(9_999);
    expect(await diagnosis.get()).toBe('answer 1');
    await clock.advance(1);
    expect(await diagnosis.get()).toBe('answer 2');
    expect(clock.pending).toBe(0);
  });

  it('has nothing to say when the source fails, or takes longer than a second, which ends the request', async () => {
    const failing = new Diagnosis(clock, async () => Promise.reject(new Error('away')));
    expect(await failing.get()).toBeUndefined();
    let signal: AbortSignal | undefined;
    const slow = new Diagnosis(clock, (given) => {
      signal = given;
      return new Promise(() => undefined);
    });
    const result = slow.get();
    await clock.advance(1_000);
    expect(await result).toBeUndefined();
    expect(signal?.aborted).toBe(true);
  });
});
