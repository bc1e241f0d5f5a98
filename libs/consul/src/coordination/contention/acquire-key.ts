import { DiscoveryError } from '@rookery/discovery';
import type { ConsulClient } from '../../client/consul-client.js';
import { toTxnOperation, type KvOperation } from '../../kv/kv-operation.js';
import { KvTransactionError } from '../../kv/kv-transaction-error.js';
import type { KvValue } from '../../kv/kv-value.js';
import type { Attempt } from './contest.js';

/** One transaction that acquires a key. */
export async function acquireKey(client: ConsulClient, operations: readonly KvOperation[]): Promise<Attempt> {
  const { committed, results, errors } = await client.txn.commit(operations.map(toTxnOperation));
  if (committed) return { outcome: 'acquired', fence: results.at(-1)?.KV.ModifyIndex ?? 0 };
  const texts = errors.map(({ What }) => What);
  const says = (pattern: RegExp): boolean => texts.some((text) => pattern.test(text));
  if (says(/permission denied|ACL not found/i)) throw new KvTransactionError(operations, errors);
  if (says(/lock[- ]delay/i)) return { outcome: 'delayed' };
  if (says(/invalid session/i)) return { outcome: 'session-lost' };
  if (says(/already held/i)) return { outcome: 'occupied' };
  return { outcome: 'raced' };
}

/** @throws DiscoveryError `RK_LOCK_CONFLICT` when the key is there, and is something else */
export function assertFlags(
  entry: Pick<KvValue<unknown>, 'flags'> | undefined,
  key: string,
  flags: bigint,
): void {
  // In JSON the flags lose their last digits.
  if (entry === undefined || entry.flags === Number(flags)) return;
  throw new DiscoveryError('RK_LOCK_CONFLICT', `${key} is in use for something else`, {
    hint: 'Use another key: acquiring it would overwrite its value',
  });
}
