/**
 * One step of what is written under a lock, all of it or nothing. `modifyIndex` is that of the last read: in etcd the revision of the last change; a value is text
 * or bytes.
 */
export type GuardedOperation =
  | {
      readonly type: 'set';
      readonly key: string;
      readonly value: string | Uint8Array;
      /** A number that Consul keeps with the key; etcd has none. */
      readonly flags?: number | bigint;
    }
  /** Sets it if the key is still as it was read; with `modifyIndex: 0` only if there is no such key. */
  | {
      readonly type: 'compareAndSet';
      readonly key: string;
      readonly value: string | Uint8Array;
      readonly modifyIndex: number;
      readonly flags?: number | bigint;
    }
  /** Fails if there is no such key. */
  | { readonly type: 'get'; readonly key: string }
  | { readonly type: 'list'; readonly prefix: string }
  | { readonly type: 'delete'; readonly key: string }
  | { readonly type: 'compareAndDelete'; readonly key: string; readonly modifyIndex: number }
  | { readonly type: 'deleteTree'; readonly prefix: string }
  | { readonly type: 'checkIndex'; readonly key: string; readonly modifyIndex: number }
  | { readonly type: 'checkNotExists'; readonly key: string };

/** What a registry's store has for a key. */
export interface StoredValue {
  readonly key: string;
  readonly value: string;
  /** For `compareAndSet`: it changes with every write. */
  readonly modifyIndex: number;
}

/** The key or the prefix of an operation. */
export function keyOf(operation: { readonly key: string } | { readonly prefix: string }): string {
  return 'key' in operation ? operation.key : operation.prefix;
}
