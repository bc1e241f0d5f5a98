import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '@rookery/test-support';
import { DiscoveryError } from '../../errors/discovery-error.js';
import { readFirst } from './first-read.js';
import { WatchedLayer, type WatchedLayerOptions } from './watched-layer.js';

describe('WatchedLayer', () => {
  it('was not read where what had to be read besides its keys was too late', async () => {
    const clock = new FakeClock();
    const late = (_key: string, signal: AbortSignal): Promise<never> =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('too late'))));
    // An empty tree: whether the token may read it, another read tells.
    const store = { list: async () => [], get: late, readRule: () => 'key_prefix read' };
    let changes = 0;
    const layer = new WatchedLayer('config/shop/', {
      ...{ clock, store, random: () => 0, onChange: () => changes++ },
    } as unknown as WatchedLayerOptions);
    const reading = readFirst([layer], clock, 1_000, new AbortController().signal);
    await clock.advance(1_000);
    const [unread] = await reading;
    expect(unread?.error).toBeInstanceOf(DiscoveryError);
    expect(String(unread?.error)).toMatch(
      /cannot read the keys below config\/shop\/: no response in 1000 ms/,
    );
    expect([layer.isRead, layer.entries, changes]).toEqual([false, undefined, 0]);
  });
});
