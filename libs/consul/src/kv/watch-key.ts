import { type Clock, delay, systemClock } from '@rookery/discovery/adapter';
import type { KvEntry } from '../client/api/types.js';
import type { ConsulClient } from '../client/consul-client.js';
import { WatchPosition } from '../client/watch-position.js';
import type { WatchTreeOptions } from './watch-tree.js';

const WAIT_MS = 60_000;
const MIN_INTERVAL_MS = 100;

/**
 * Watches one key. The query of a key that does not exist returns at every change in the whole store, so that the names
 * beginning with the key are watched until it exists. It throws at the first error; start a new one then.
 */
export async function* watchKey(
  client: ConsulClient,
  key: string,
  signal: AbortSignal,
  { datacenter, waitMs = () => WAIT_MS, clock = systemClock }: WatchTreeOptions = {},
): AsyncGenerator<KvEntry | undefined> {
  const scope = { signal, ...(datacenter === undefined ? {} : { datacenter }) };
  for (;;) {
    const existing = new WatchPosition(client);
    const first = await client.kv.get(key, scope);
    yield first.body;
    existing.advance(first.index, false);
    let exists = first.body !== undefined;
    while (exists) {
      const { index } = existing;
      if (index === undefined) break;
      const sentAt = clock.now();
      const wait = client.waitWithin(waitMs());
      const next = await client.kv.get(key, { ...scope, index, wait });
      existing.advance(next.index, clock.now() - sentAt < wait);
      exists = next.body !== undefined;
      yield next.body;
    }
    if (!exists) await untilNamed(client, key, { ...scope }, { waitMs, clock });
  }
}

async function untilNamed(
  client: ConsulClient,
  key: string,
  scope: { readonly signal: AbortSignal; readonly datacenter?: string },
  { waitMs, clock }: { readonly waitMs: () => number; readonly clock: Clock },
): Promise<void> {
  const position = new WatchPosition(client);
  for (;;) {
    const { index } = position;
    const sentAt = clock.now();
    const wait = client.waitWithin(waitMs());
    const names = await client.kv.keys(key, {
      ...scope,
      separator: '/',
      ...(index === undefined ? {} : { index, wait }),
    });
    if (names.body.includes(key)) return;
    position.advance(names.index, index !== undefined && clock.now() - sentAt < wait);
    // Without a position the next query does not block.
    if (position.index === undefined) return;
    // Changes of keys whose names begin with this one wake it as well.
    if (index !== undefined) await delay(clock, MIN_INTERVAL_MS, scope.signal);
  }
}
