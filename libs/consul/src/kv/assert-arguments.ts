import { DiscoveryError } from '@rookery/discovery';
import { keyOf } from '@rookery/discovery/adapter';
import { MAX_VALUE_BYTES } from '../client/api/kv.api.js';
import { kvPath } from '../client/api/kv-key.js';
import type { KvOperation } from './kv-operation.js';

const MAX_TRANSACTION_BYTES = 524_288;

/** A request without a key would be one for the whole store. */
export function assertKey(key: string): string {
  if (key !== '') return key;
  throw new DiscoveryError('RK_INVALID_ARGUMENT', 'key: it is empty', {
    hint: "Use a key such as 'config/inventory/limit'",
  });
}

/** Without an index Consul would write in any case. */
export function assertIndex(modifyIndex: number): number {
  if (Number.isSafeInteger(modifyIndex) && modifyIndex >= 0) return modifyIndex;
  throw new DiscoveryError('RK_INVALID_ARGUMENT', `modifyIndex: ${String(modifyIndex)} is no index`, {
    hint: 'It is that of the value that was read, or 0 for a key that must not be there yet',
  });
}

/** What Consul would reject, or would write elsewhere, is refused before it is sent. */
export function assertTransaction(operations: readonly KvOperation[]): void {
  let bytes = 0;
  operations.forEach((operation, index) => {
    const key = keyOf(operation);
    if (operation.type === 'deleteTree') assertKey(key);
    kvPath(key);
    if (!('value' in operation)) return;
    // Without types, what was never set would be a fault of Node's.
    if (typeof operation.value !== 'string' && !ArrayBuffer.isView(operation.value))
      throw new DiscoveryError('RK_INVALID_ARGUMENT', `operation ${index}: value of ${key}: it is no text`, {
        hint: 'A value is text or bytes: JSON.stringify(value)',
      });
    const size = Buffer.byteLength(operation.value);
    if (size > MAX_VALUE_BYTES) {
      throw new DiscoveryError('RK_INVALID_ARGUMENT', `operation ${index}: value of ${key}: ${size} bytes`, {
        hint: `Consul takes at most ${MAX_VALUE_BYTES}`,
      });
    }
    bytes += transactionBytes(key, size);
  });
  if (bytes <= MAX_TRANSACTION_BYTES) return;
  throw new DiscoveryError('RK_INVALID_ARGUMENT', `transaction of ${bytes} bytes`, {
    hint: `Consul takes at most ${MAX_TRANSACTION_BYTES}; split it`,
  });
}

/** How much an operation adds to the request: its value grows by a third in base64. */
export function transactionBytes(key: string, valueBytes: number): number {
  return Math.ceil(valueBytes / 3) * 4 + Buffer.byteLength(JSON.stringify(key)) + 80;
}
