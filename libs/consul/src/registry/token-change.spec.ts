import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock } from '@rookery/test-support';
import { untilTokenChanged } from './token-change.js';

describe('untilTokenChanged', () => {
  let clock: FakeClock;
  let client: { tokenVersion: number; refreshToken: () => Promise<void> };
  let refreshes: number;
  const { signal } = new AbortController();

  beforeEach(() => {
    clock = new FakeClock();
    refreshes = 0;
    client = {
      tokenVersion: 1,
      refreshToken: async () => {
        refreshes++;
      },
    };
  });

  it('reads the token again each five seconds, until it is another one', async () => {
    let isChanged = false;
    const changed = untilTokenChanged(client, 1, clock, signal).then(() => (isChanged = true));
    await clock.advance(4_999);
    expect(refreshes).toBe(0);
    client.refreshToken = async () => {
      if (++refreshes === 3) client.tokenVersion = 2;
      else throw new Error('cannot be read at present');
    };
    await clock.advance(10_000);
    expect([refreshes, isChanged]).toEqual([2, false]);
    await clock.advance(1);
    await changed;
    expect([refreshes, clock.pending]).toEqual([3, 0]);
  });

  it('knows at once of one that has changed, and ends when it is no longer wanted', async () => {
    expect(await untilTokenChanged(client, 0, clock, signal)).toBe('changed');
    const aborting = new AbortController();
    const changed = untilTokenChanged(client, 1, clock, aborting.signal);
    changed.catch(() => undefined);
    await clock.advance(0);
    aborting.abort(new Error('gone'));
    await expect(changed).rejects.toThrow('gone');
    expect([clock.pending, refreshes]).toEqual([0, 0]);
  });
});
