import { DiscoveryError, type GuardedOperation } from '@rookery/discovery';
import { keyOf } from '@rookery/discovery/adapter';
import type { TxnOperation } from '../client/api/types.js';

/** One step of a transaction. `modifyIndex` is that of the last read; a value is text or bytes. */
export type KvOperation =
  | GuardedOperation
  /** Fails unless this session holds the key as a lock. */
  | { readonly type: 'checkSession'; readonly key: string; readonly session: string }
  /** Acquires the key as a lock for this session; again for its holder. `LockService` does it with all that belongs to it. */
  | {
      readonly type: 'lock';
      readonly key: string;
      readonly value: string | Uint8Array;
      readonly session: string;
      readonly flags?: number | bigint;
    };

const KV_OPERATIONS: readonly KvOperation['type'][] = [
  ...(['set', 'compareAndSet', 'get', 'list', 'delete', 'compareAndDelete', 'deleteTree'] as const),
  ...(['checkIndex', 'checkNotExists', 'checkSession', 'lock'] as const),
];

export function toTxnOperation(operation: KvOperation): TxnOperation {
  const Key = keyOf(operation);
  switch (operation.type) {
    case 'set':
      return { KV: { Verb: 'set', Key, Value: base64(operation.value), ...flagsOf(operation) } };
    case 'compareAndSet': {
      const written = { Key, Value: base64(operation.value), ...flagsOf(operation) };
      return { KV: { Verb: 'cas', Index: operation.modifyIndex, ...written } };
    }
    case 'get':
      return { KV: { Verb: 'get', Key } };
    case 'list':
      return { KV: { Verb: 'get-tree', Key } };
    case 'delete':
      return { KV: { Verb: 'delete', Key } };
    case 'compareAndDelete':
      return { KV: { Verb: 'delete-cas', Key, Index: operation.modifyIndex } };
    case 'deleteTree':
      return { KV: { Verb: 'delete-tree', Key } };
    case 'checkIndex':
      return { KV: { Verb: 'check-index', Key, Index: operation.modifyIndex } };
    case 'checkNotExists':
      return { KV: { Verb: 'check-not-exists', Key } };
    case 'checkSession':
      return { KV: { Verb: 'check-session', Key, Session: operation.session } };
    case 'lock': {
      const written = { Key, Value: base64(operation.value), ...flagsOf(operation) };
      return { KV: { Verb: 'lock', Session: operation.session, ...written } };
    }
    default:
      throw new DiscoveryError(
        'RK_INVALID_ARGUMENT',
        `operation of type ${JSON.stringify((operation as KvOperation).type)}`,
        {
          hint: `Known types: ${KV_OPERATIONS.join(', ')}`,
        },
      );
  }
}

function base64(value: string | Uint8Array): string {
  return Buffer.from(value as string).toString('base64');
}

function flagsOf({ flags }: { readonly flags?: number | bigint }): { Flags?: number | bigint } {
  return flags === undefined ? {} : { Flags: flags };
}
