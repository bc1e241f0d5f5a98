import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '@rookery/test-support';
import { DiscoveryError } from '../../errors/discovery-error.js';
import { ReconnectSignal } from '../../registry/reconnect-signal.js';
import { delay } from '../../timing/clock.js';
import { readFirst } from './first-read.js';
import { WatchedLayer, type WatchedLayerOptions } from './watched-layer.js';

describe('WatchedLayer', () => {
  it('keeps its keys, and says so, where an update makes no sense', async () => {
    const clock = new FakeClock();
    const wrong = { entries: [null], isContinuous: true };
    const right = { entries: [{ key: 'config/shop/a', value: Buffer.from('1') }], isContinuous: true };
    const store = {
      watch: async function* (_path: string, signal: AbortSignal) {
        for (const update of [right, wrong, wrong, right]) {
          await delay(clock, 1_000, signal);
          yield update;
        }
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      },
      list: async () => [],
      get: async () => undefined,
      readRule: () => 'key_prefix read',
    };
    const failures: unknown[] = [];
    const layer = new WatchedLayer('config/shop/', {
      ...{ clock, store, random: () => 0, onChange: () => undefined, onRecovered: () => undefined },
      ...{ onSuspect: () => undefined, onConfirmed: () => undefined, onRejected: () => undefined },
      reconnectSignal: new ReconnectSignal(),
      onFailure: (error: unknown) => failures.push(error),
    } as unknown as WatchedLayerOptions);
    const stopping = new AbortController();
    const watching = layer.watch(stopping.signal).catch(() => undefined);
    await clock.advance(5_000);
    expect(failures).toHaveLength(2);
    expect(layer.entries?.map(({ key }) => key)).toEqual(['config/shop/a']);
    stopping.abort();
    await watching;
  });

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
