import type { EtcdClient } from '../etcd-client.js';
import { CompactedError } from '../etcd-error.js';
import type { EtcdKeyValue } from '../key-value.js';

/** All keys with a prefix, as they are at present. */
export interface EtcdTree {
  /** In the order of their keys. */
  readonly values: readonly EtcdKeyValue[];
  readonly revision: bigint;
  /** It follows from the previous one without a gap, so that keys that it does not have were deleted. */
  readonly isContinuous: boolean;
}

/** Watches all keys with a prefix: a read, then its changes. It throws at the first error; start a new one then. */
export async function* watchTree(
  client: EtcdClient,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<EtcdTree> {
  for (;;) {
    const read = await client.kv.range({ prefix }, { signal });
    const values = new Map(read.values.map((value) => [value.key, value]));
    yield { values: read.values, revision: read.revision, isContinuous: false };
    try {
      for await (const { events, revision } of client.watch({ prefix }, read.revision + 1n, signal)) {
        for (const event of events)
          if (event.type === 'put') values.set(event.key, event);
          else values.delete(event.key);
        const sorted = [...values.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
        yield { values: sorted, revision, isContinuous: true };
      }
    } catch (error) {
      // The changes since then are gone: everything is read again.
      if (!(error instanceof CompactedError)) throw error;
    }
  }
}
