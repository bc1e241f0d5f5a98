import { DiscoveryError } from '@rookery/discovery';
import { errorMessage } from '@rookery/discovery/adapter';
import type { KvEntry, TxnResult } from '../client/api/types.js';
import type { KvCodec } from './kv-codec.js';

/** A key and its value. */
export interface KvValue<T> {
  readonly key: string;
  readonly value: T;
  /** For `compareAndSet`: it changes with every write that changes the value. */
  readonly modifyIndex: number;
  readonly flags: number;
  /** The session that holds the key as a lock. */
  readonly session: string | undefined;
}

/** @throws DiscoveryError `RK_REGISTRY_BAD_RESPONSE` when the codec refuses the bytes; it does not contain them */
export function decoded<T>(
  { key, value, modifyIndex, flags, session }: KvEntry,
  codec: KvCodec<T>,
): KvValue<T> {
  try {
    return { key, value: codec.decode(value), modifyIndex, flags, session };
  } catch (error) {
    throw new DiscoveryError('RK_REGISTRY_BAD_RESPONSE', `value of ${key}: ${errorMessage(error)}`, {
      hint: 'Another codec may have written it',
    });
  }
}

/** @throws DiscoveryError `RK_INVALID_ARGUMENT` when the codec refuses the value */
export function encoded<T>(key: string, value: T, codec: KvCodec<T>): string | Uint8Array {
  let bytes: unknown;
  try {
    bytes = codec.encode(value);
  } catch (error) {
    throw new DiscoveryError('RK_INVALID_ARGUMENT', `value of ${key}: ${errorMessage(error)}`);
  }
  if (typeof bytes === 'string' || bytes instanceof Uint8Array) return bytes;
  throw new DiscoveryError(
    'RK_INVALID_ARGUMENT',
    `value of ${key}: it is ${bytes === null ? 'null' : `of type ${typeof bytes}`}`,
    {
      hint: 'Without a codec a value is a text: use { codec: jsonCodec() } for data',
    },
  );
}

/** A value that a transaction returned, as a text. */
export function resultOf({ KV }: TxnResult): KvValue<string> {
  return {
    key: KV.Key,
    value: Buffer.from(KV.Value ?? '', 'base64').toString('utf8'),
    modifyIndex: KV.ModifyIndex,
    flags: KV.Flags,
    session: KV.Session,
  };
}

/** Whether a key has not changed. */
export function isSameEntry(before: KvEntry | undefined, after: KvEntry | undefined): boolean {
  if (!before || !after) return before === after;
  // A Consul that lost its state counts from the start.
  return (
    before.modifyIndex === after.modifyIndex &&
    before.key === after.key &&
    before.session === after.session &&
    before.value.equals(after.value)
  );
}
