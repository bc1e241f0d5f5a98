import { describe, expect, it } from '@jest/globals';
import { settle } from '@rookery/test-support';
import { Turns } from './request-queue.js';

describe('Turns', () => {
  it('lets so many go at once, and the others in their order', async () => {
    const turns = new Turns(2);
    const begun: number[] = [];
    for (const n of [1, 2, 3, 4]) void turns.take(undefined).then(() => begun.push(n));
    await settle();
    expect(begun).toEqual([1, 2]);
    turns.give();
    await settle();
    expect(begun).toEqual([1, 2, 3]);
  });

  it('forgets who gave up waiting', async () => {
    const turns = new Turns(1);
    await turns.take(undefined);
    const aborting = new AbortController();
    const given = turns.take(aborting.signal);
    let later = false;
    void turns.take(undefined).then(() => (later = true));
    aborting.abort(new Error('enough'));
    await expect(given).rejects.toThrow('enough');
    await expect(turns.take(aborting.signal)).rejects.toThrow('enough');
    turns.give();
    await settle();
    expect(later).toBe(true);
  });
});
