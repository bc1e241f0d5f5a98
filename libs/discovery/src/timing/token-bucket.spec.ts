import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '@rookery/test-support';
import { TokenBucket } from './token-bucket.js';

describe('TokenBucket', () => {
  it('allows a burst, then one for each refill, and a burst again after a rest', async () => {
    const clock = new FakeClock();
    const bucket = new TokenBucket(clock, { capacity: 3, refillEvery: 500 });
    expect([bucket.take(), bucket.take(), bucket.take()]).toEqual([0, 0, 0]);
    expect(bucket.take()).toBe(500);
    await clock.advance(500);
    expect(bucket.take()).toBe(500);
    await clock.advance(60_000);
    expect([bucket.take(), bucket.take(), bucket.take(), bucket.take()]).toEqual([0, 0, 0, 500]);
  });
});
