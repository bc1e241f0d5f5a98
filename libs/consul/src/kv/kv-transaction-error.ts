import { keyOf } from '@rookery/discovery/adapter';
import { ruleOf } from '../acl/acl-right.js';
import { ConsulError } from '../client/consul-error.js';
import type { KvOperation } from './kv-operation.js';

/**
 * Why an operation failed. `conflict`: the key is not as it was read, or exists. `missing`: there is no such key. `session`: the session does not
 * hold it. `denied`: the token lacks the permission. `other`: see the text.
 */
export type KvFailureKind = 'conflict' | 'missing' | 'session' | 'denied' | 'other';

export interface KvOperationFailure {
  /** The position of the operation, from 0. */
  readonly index: number;
  readonly type: KvOperation['type'];
  /** Its key, or its prefix. */
  readonly key: string;
  readonly kind: KvFailureKind;
  /** Consul's own words. */
  readonly text: string;
}

/** A transaction that changed nothing: its code is `RK_TRANSACTION_CONFLICT`, or `RK_ACL_DENIED`. */
export class KvTransactionError extends ConsulError {
  readonly failures: readonly KvOperationFailure[];

  constructor(operations: readonly KvOperation[], errors: readonly { OpIndex: number; What: string }[]) {
    const failures = errors.flatMap(({ OpIndex: index, What: text }) => {
      const operation = operations[index];
      // Not the operation itself: its value may be a secret, and errors are printed.
      return operation
        ? [{ index, type: operation.type, key: keyOf(operation), kind: kindOf(text), text }]
        : [];
    });
    const described = failures.map(
      ({ index, type, key, text }) => `operation ${index}, ${type} of ${key}: ${text}`,
    );
    const rules = new Set(
      failures.flatMap((failure) => (failure.kind === 'denied' ? [missingRule(failure)] : [])),
    );
    const isDenied = rules.size > 0;
    super(
      isDenied ? 'RK_ACL_DENIED' : 'RK_TRANSACTION_CONFLICT',
      `transaction of ${operations.length} operations rolled back: ${described.join('; ') || 'no reason given'}`,
      {
        status: 409,
        hint: isDenied
          ? `Add ${[...rules].join(' and ')} to the policy of the token`
          : 'Nothing was changed; read the keys again and repeat it',
      },
    );
    this.failures = failures;
  }
}

const READS: ReadonlySet<KvOperation['type']> = new Set([
  'get',
  'list',
  'checkIndex',
  'checkNotExists',
  'checkSession',
]);
const PREFIXED: ReadonlySet<KvOperation['type']> = new Set(['list', 'deleteTree']);

function missingRule({ type, key }: KvOperationFailure): string {
  return ruleOf({
    resource: 'key',
    access: READS.has(type) ? 'read' : 'write',
    name: key,
    isPrefix: PREFIXED.has(type),
  });
}

/** Consul has no codes for them. */
function kindOf(text: string): KvFailureKind {
  if (/permission denied|ACL not found/i.test(text)) return 'denied';
  if (/doesn't exist|does not exist/i.test(text)) return 'missing';
  if (/session/i.test(text)) return 'session';
  return /stale|exists|index/i.test(text) ? 'conflict' : 'other';
}
