import { type Clock, delay, systemClock } from '@rookery/discovery/adapter';
import type { KvEntry } from '../client/api/types.js';
import type { ConsulClient } from '../client/consul-client.js';
import { WatchPosition } from '../client/watch-position.js';

/** All keys that begin with a prefix, as they are at present. */
export interface TreeUpdate {
  readonly entries: readonly KvEntry[];
  /**
   * It follows from the previous update of the same watch without a gap, so that keys that it does not have were deleted.
   * Otherwise Consul may have lost them.
   */
  readonly isContinuous: boolean;
}

export interface WatchTreeOptions {
  readonly datacenter?: string | undefined;
  /** How long one request waits, in milliseconds. Default: 60,000. */
  readonly waitMs?: () => number;
  readonly clock?: Clock;
}

const WAIT_MS = 60_000;
/**
 * The query of a prefix without keys returns at changes of its neighbours in Consul's radix tree: of `config/a/` and `config/b/`
 * while there is no `config/c/`. After each of them it pauses for longer.
 */
const MIN_EMPTY_PAUSE_MS = 100;
const MAX_EMPTY_PAUSE_MS = 5_000;

/**
 * Watches all keys below a prefix, with one blocking query at a time. An update may be equal to the one before. It throws at
 * the first error; start a new one then.
 */
export async function* watchTree(
  client: ConsulClient,
  prefix: string,
  signal: AbortSignal,
  { datacenter, waitMs = () => WAIT_MS, clock = systemClock }: WatchTreeOptions = {},
): AsyncGenerator<TreeUpdate> {
  const position = new WatchPosition(client);
  const scope = { signal, ...(datacenter === undefined ? {} : { datacenter }) };
  let emptyPauseMs = MIN_EMPTY_PAUSE_MS;
  let wasEmpty = false;
  for (;;) {
    const before = position.index;
    const sentAt = clock.now();
    const wait = client.waitWithin(waitMs());
    const { body, index } = await client.kv.list(prefix, {
      ...scope,
      ...(before === undefined ? {} : { index: before, wait }),
    });
    const isEarly = before !== undefined && clock.now() - sentAt < wait;
    position.advance(index, isEarly);
    const isEmpty = body.length === 0;
    if (isEmpty && wasEmpty && isEarly) {
      await delay(clock, emptyPauseMs, signal);
      emptyPauseMs = Math.min(emptyPauseMs * 2, MAX_EMPTY_PAUSE_MS);
    } else emptyPauseMs = MIN_EMPTY_PAUSE_MS;
    wasEmpty = isEmpty;
    yield { entries: body, isContinuous: before !== undefined && position.index !== undefined };
  }
}
