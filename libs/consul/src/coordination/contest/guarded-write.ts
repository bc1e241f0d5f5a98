import type { GuardedOperation } from '@rookery/discovery';
import type { ConsulKv } from '../../kv/consul-kv.js';
import type { KvOperation } from '../../kv/kv-operation.js';
import { KvTransactionError } from '../../kv/kv-transaction-error.js';
import type { KvValue } from '../../kv/kv-value.js';

/** @returns undefined when the session does not hold the key: nothing was written */
export async function guardedWrite(
  kv: ConsulKv,
  key: string,
  session: string,
  operations: readonly GuardedOperation[],
): Promise<KvValue<string>[] | undefined> {
  const guard: KvOperation = { type: 'checkSession', key, session };
  try {
    return (await kv.transaction([guard, ...operations])).slice(1);
  } catch (error) {
    if (!(error instanceof KvTransactionError)) throw error;
    const [first] = error.failures;
    if (first?.index === 0 && first.kind !== 'denied') return undefined;
    if (first?.index === 0) throw error;
    const errors = error.failures.map(({ index, text }) => ({ OpIndex: index - 1, What: text }));
    throw new KvTransactionError(operations, errors);
  }
}
