import { DiscoveryError } from '@rookery/discovery';
import type { Attempt } from '@rookery/discovery/adapter';
import type { ConsulClient } from '../../client/consul-client.js';
import { ConsulError } from '../../client/consul-error.js';
import { toTxnOperation, type KvOperation } from '../../kv/kv-operation.js';
import { KvTransactionError } from '../../kv/kv-transaction-error.js';
import type { KvValue } from '../../kv/kv-value.js';

/** One transaction that acquires a key. */
export async function acquireKey(client: ConsulClient, operations: readonly KvOperation[]): Promise<Attempt> {
  const { committed, results, errors } = await client.txn.commit(operations.map(toTxnOperation));
  if (committed) return { outcome: 'acquired', fence: assertIndex(results.at(-1)?.KV.ModifyIndex) };
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

/** @throws ConsulError `RK_REGISTRY_BAD_RESPONSE` when the response has no index, so that it is none of Consul */
export function assertIndex(index: unknown): number {
  if (typeof index === 'number' && Number.isSafeInteger(index) && index > 0) return index;
  throw new ConsulError('RK_REGISTRY_BAD_RESPONSE', 'PUT /v1/txn: the response has no ModifyIndex', {
    hint: 'Another server than Consul may be listening at this address',
  });
}
