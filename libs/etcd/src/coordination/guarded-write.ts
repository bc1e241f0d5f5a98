import { DiscoveryError, type GuardedOperation, type StoredValue } from '@rookery/discovery';
import { keyOf } from '@rookery/discovery/adapter';
import type { EtcdCompare, EtcdOperation, KvApi } from '../client/api/kv.api.js';
import { EtcdError } from '../client/etcd-error.js';
import type { EtcdKeyValue } from '../client/key-value.js';

/** An operation that failed; its value may be a secret. */
export interface EtcdOperationFailure {
  /** The position of the operation, from 0. */
  readonly index: number;
  readonly type: GuardedOperation['type'];
  readonly key: string;
  readonly kind: 'conflict' | 'missing';
}

/** A transaction that changed nothing: its code is `RK_TRANSACTION_CONFLICT`. */
export class EtcdTransactionError extends EtcdError {
  readonly failures: readonly EtcdOperationFailure[];

  constructor(operations: readonly GuardedOperation[], failures: readonly EtcdOperationFailure[]) {
    const described = failures.map(
      ({ index, type, key, kind }) =>
        `operation ${index}, ${type} of ${key}: ${kind === 'missing' ? 'there is no such key' : 'it is not as it was read'}`,
    );
    super(
      'RK_TRANSACTION_CONFLICT',
      `transaction of ${operations.length} operations: nothing was changed: ${described.join('; ') || 'the keys have changed meanwhile'}`,
      { hint: 'Read the keys again, and repeat it' },
    );
    this.failures = failures;
  }
}

const MAX_OPERATIONS = 63;

/** @returns undefined when the key has another lease, or is gone: nothing was written */
export async function guardedWrite(
  kv: KvApi,
  guard: { readonly key: string; readonly lease: bigint },
  operations: readonly GuardedOperation[],
): Promise<readonly StoredValue[] | undefined> {
  if (operations.length > MAX_OPERATIONS) {
    throw new DiscoveryError('RK_INVALID_ARGUMENT', `transaction of ${operations.length} operations`, {
      hint: `At most ${MAX_OPERATIONS} can be written at once; split it`,
    });
  }
  const conditions = operations.map(conditionOf);
  const checked = operations.filter((_, index) => conditions[index] !== undefined).map(keyOf);
  const { succeeded, revision, results } = await kv.transaction({
    if: [
      { key: guard.key, target: 'lease', to: guard.lease },
      ...conditions.flatMap((condition) => condition ?? []),
    ],
    then: operations.flatMap(operationOf),
    // Which of the conditions did not hold.
    else: [guard.key, ...checked].map((key) => ({ get: key })),
  });
  if (succeeded) return valuesOf(operations, results, revision);
  const [[holder] = [], ...found] = results;
  if (holder?.lease !== guard.lease) return undefined;
  const present = new Map(found.flat().map((value) => [value.key, value]));
  throw new EtcdTransactionError(
    operations,
    operations.flatMap((operation, index) => failureOf(operation, index, present.get(keyOf(operation)))),
  );
}

/** Undefined: it always can be done. */
function conditionOf(operation: GuardedOperation): EtcdCompare | undefined {
  switch (operation.type) {
    case 'compareAndSet':
    case 'compareAndDelete':
    case 'checkIndex':
      return { key: operation.key, target: 'modRevision', to: BigInt(operation.modifyIndex) };
    case 'checkNotExists':
      return { key: operation.key, target: 'createRevision', to: 0n };
    case 'get':
      return { key: operation.key, target: 'createRevision', is: '>', to: 0n };
    case 'set':
    case 'list':
    case 'delete':
    case 'deleteTree':
      return undefined;
    default: {
      const { type } = operation as { type: unknown };
      throw new DiscoveryError('RK_INVALID_ARGUMENT', `operation of type ${JSON.stringify(type)}`, {
        hint: 'Known types: set, compareAndSet, get, list, delete, compareAndDelete, deleteTree, checkIndex, checkNotExists',
      });
    }
  }
}

/** Whether an operation sets a value. */
export function isPut(
  operation: GuardedOperation,
): operation is Extract<GuardedOperation, { value: unknown }> {
  return operation.type === 'set' || operation.type === 'compareAndSet';
}

function operationOf(operation: GuardedOperation): EtcdOperation[] {
  switch (operation.type) {
    case 'set':
    case 'compareAndSet':
      return [{ put: operation.key, value: Buffer.from(operation.value as string) }];
    case 'get':
      return [{ get: operation.key }];
    case 'list':
      return [{ get: { prefix: operation.prefix } }];
    case 'delete':
    case 'compareAndDelete':
      return [{ delete: operation.key }];
    case 'deleteTree':
      return [{ delete: { prefix: operation.prefix } }];
    case 'checkIndex':
    case 'checkNotExists':
      return [];
  }
}

function valuesOf(
  operations: readonly GuardedOperation[],
  results: readonly (readonly EtcdKeyValue[])[],
  revision: bigint,
): StoredValue[] {
  const done = operations.filter((operation) => operationOf(operation).length > 0);
  return done.flatMap((operation, at): StoredValue[] => {
    if (isPut(operation))
      return [
        {
          key: operation.key,
          value: Buffer.from(operation.value as string).toString('utf8'),
          modifyIndex: Number(revision),
        },
      ];
    return (results[at] ?? []).map(toStoredValue);
  });
}

export function toStoredValue({ key, value, modRevision }: EtcdKeyValue): StoredValue {
  return { key, value: value.toString('utf8'), modifyIndex: Number(modRevision) };
}

function failureOf(
  operation: GuardedOperation,
  index: number,
  present: EtcdKeyValue | undefined,
): EtcdOperationFailure[] {
  const failure = { index, type: operation.type, key: keyOf(operation) };
  switch (operation.type) {
    case 'compareAndSet':
    case 'compareAndDelete':
    case 'checkIndex': {
      const found = Number(present?.modRevision ?? 0n);
      if (found === operation.modifyIndex) return [];
      return [{ ...failure, kind: present ? 'conflict' : 'missing' }];
    }
    case 'checkNotExists':
      return present ? [{ ...failure, kind: 'conflict' }] : [];
    case 'get':
      return present ? [] : [{ ...failure, kind: 'missing' }];
    default:
      return [];
  }
}
