import { MAX_VALUE_BYTES } from '../client/api/kv.api.js';
import { MAX_OPERATIONS } from '../client/api/txn.api.js';
import type { KvEntry } from '../client/api/types.js';
import { transactionBytes } from '../kv/assert-arguments.js';
import type { KvOperation } from '../kv/kv-operation.js';
import { valueOfFile, type FileKey } from './key-folder.js';
import { CommandError } from './terminal.js';

/** One difference between Consul and a folder. */
export interface PlannedChange {
  readonly kind: 'create' | 'update' | 'delete';
  readonly key: string;
  /** Undefined for a new key. */
  readonly before: Buffer | undefined;
  /** Undefined for a deleted key. */
  readonly after: Buffer | undefined;
  /** Kept as they are. */
  readonly flags: number;
  /** Of the key as it was read; 0 for a new key. */
  readonly modifyIndex: number;
}

/** What has to change so that Consul has the keys of the folder. Keys that the folder does not have are deleted only with `prune`. */
export function planImport(
  entries: readonly KvEntry[],
  files: readonly FileKey[],
  prune: boolean,
): PlannedChange[] {
  const present = new Map(entries.map((entry) => [entry.key, entry]));
  const changes: PlannedChange[] = [];
  for (const file of files) {
    const { key, content } = file;
    const entry = present.get(key);
    const after = valueOfFile(file);
    if (after.length > MAX_VALUE_BYTES)
      throw new CommandError(
        `${key}: the file has ${after.length} bytes, and Consul takes at most ${MAX_VALUE_BYTES}`,
      );
    // What was exported with a line break at its end is the same as well.
    if (entry && (entry.value.equals(after) || entry.value.equals(content))) continue;
    changes.push({
      kind: entry ? 'update' : 'create',
      key,
      before: entry?.value,
      after,
      flags: entry?.flags ?? 0,
      modifyIndex: entry?.modifyIndex ?? 0,
    });
  }
  const kept = new Set(files.map(({ key }) => key));
  for (const { key, value: before, flags, modifyIndex } of prune ? entries : [])
    if (!kept.has(key) && !key.endsWith('/'))
      changes.push({ kind: 'delete', key, before, after: undefined, flags, modifyIndex });
  return changes;
}

/** Each is applied only if the key is still as it was when the plan was made. */
export function toOperation({ key, after, flags, modifyIndex }: PlannedChange): KvOperation {
  return after === undefined
    ? { type: 'compareAndDelete', key, modifyIndex }
    : { type: 'compareAndSet', key, value: after, flags, modifyIndex };
}

/** Consul takes 512 KiB; some of it is not counted here. */
const MAX_BYTES = 500_000;

/** Splits changes into transactions, in their order. A value that is too large for any is alone. */
export function toTransactions(changes: readonly PlannedChange[]): PlannedChange[][] {
  const transactions: PlannedChange[][] = [];
  let bytes = 0;
  for (const change of changes) {
    const size = sizeOf(change);
    const last = transactions.at(-1);
    if (!last || last.length >= MAX_OPERATIONS || bytes + size > MAX_BYTES) {
      transactions.push([change]);
      bytes = size;
    } else {
      last.push(change);
      bytes += size;
    }
  }
  return transactions;
}

/** A large value has to be written by a request of its own. */
export function fitsTransaction(change: PlannedChange): boolean {
  return sizeOf(change) <= MAX_BYTES;
}

function sizeOf({ key, after }: PlannedChange): number {
  return transactionBytes(key, after?.length ?? 0);
}
