import { DiscoveryError } from '@rookery/discovery';
import type { EtcdKeyValue } from '../client/key-value.js';

/** One that holds a lock, or waits for it: a key with its lease. */
export interface Place {
  readonly key: string;
  /** In hexadecimal. */
  readonly lease: string;
  readonly value: Buffer;
  readonly createRevision: bigint;
}

/** Those that came first are at its beginning. */
export type WaitingLine = readonly Place[];

/**
 * The keys right below a prefix, in the order in which they were created: the concurrency recipe of etcd's own client. A lock below this one, such as
 * `orders/42` below `orders`, is another one.
 */
export function toWaitingLine(prefix: string, values: readonly EtcdKeyValue[]): WaitingLine {
  return values
    .filter(({ key }) => isInLine(prefix, key))
    .map(({ key, value, createRevision, lease }) => ({
      key,
      value,
      createRevision,
      lease: lease.toString(16),
    }))
    .sort((a, b) => (a.createRevision < b.createRevision ? -1 : 1));
}

/** Whether a key is right below the prefix of a line. */
export function isInLine(prefix: string, key: string): boolean {
  return key.startsWith(prefix) && !key.slice(prefix.length).includes('/');
}

/**
 * @param limit of holders; undefined: a lock
 * @throws DiscoveryError `RK_LOCK_CONFLICT` when the keys are something else, or of a semaphore with another limit
 */
export function assertUsable(line: WaitingLine, name: string, limit: number | undefined): void {
  const kept = line.find(({ lease }) => lease === '0');
  if (kept) {
    throw new DiscoveryError('RK_LOCK_CONFLICT', `${kept.key} is in use for something else`, {
      hint: `Use another key than ${name}: keys without a lease below it would keep it for ever`,
    });
  }
  const other = line.find(({ value }) => limitOf(value) !== limit);
  if (!other) return;
  const found = limitOf(other.value);
  const what = (each: number | undefined): string =>
    each === undefined ? 'a lock' : `a semaphore of ${each}`;
  throw new DiscoveryError('RK_LOCK_CONFLICT', `${name} is ${what(found)}, not ${what(limit)}`, {
    hint: 'Every process has to use it in the same way; that can be changed while there are no holders',
  });
}

/** What another program wrote, such as `etcdctl lock`, has none: it is a lock. */
function limitOf(value: Buffer): number | undefined {
  try {
    const { limit } = JSON.parse(value.toString('utf8')) as { limit?: unknown };
    return typeof limit === 'number' ? limit : undefined;
  } catch {
    return undefined;
  }
}
