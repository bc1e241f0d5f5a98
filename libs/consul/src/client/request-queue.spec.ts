import { describe, expect, it } from '@jest/globals';
import { settle } from '@rookery/test-support';
import { RequestQueue } from './request-queue.js';

describe('RequestQueue', () => {
  it('runs up to its limit at once, and the others in order', async () => {
    const turns = new RequestQueue(2);
    const begun: number[] = [];
    for (const n of [1, 2, 3, 4]) void turns.acquire(undefined).then(() => begun.push(n));
    await settle();
    expect(begun).toEqual([1, 2]);
    turns.release();
    await settle();
    expect(begun).toEqual([1, 2, 3]);
  });

  it('forgets a waiter that gave up', async () => {
    const turns = new RequestQueue(1);
    await turns.acquire(undefined);
    const aborting = new AbortController();
    const given = turns.acquire(aborting.signal);
    let later = false;
    void turns.acquire(undefined).then(() => (later = true));
    aborting.abort(new Error('enough'));
    await expect(given).rejects.toThrow('enough');
    await expect(turns.acquire(aborting.signal)).rejects.toThrow('enough');
    turns.release();
    await settle();
    expect(later).toBe(true);
  });
});
