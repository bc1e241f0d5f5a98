import type { EventMessage, KeyValueMessage } from './api/messages.js';
import { NO_ETCD_HINT } from './classify-status.js';
import { EtcdError } from './etcd-error.js';

export interface EtcdKeyValue {
  readonly key: string;
  readonly value: Buffer;
  /** The revision of the store when the key was created, and when it was changed last. */
  readonly createRevision: bigint;
  readonly modRevision: bigint;
  /** How often it was written since it was created. */
  readonly version: bigint;
  /** 0: none. */
  readonly lease: bigint;
}

export type EtcdEvent =
  | ({ readonly type: 'put' } & EtcdKeyValue)
  | { readonly type: 'delete'; readonly key: string; readonly modRevision: bigint };

export function toKeyValue(message: KeyValueMessage): EtcdKeyValue {
  return {
    key: message.key.toString('utf8'),
    value: message.value,
    createRevision: BigInt(message.create_revision),
    modRevision: BigInt(message.mod_revision),
    version: BigInt(message.version),
    lease: BigInt(message.lease),
  };
}

/** @throws EtcdError */
export function toEvent({ type, kv }: EventMessage): EtcdEvent {
  if (!kv) {
    const reason = 'an event of a watch names no key';
    throw new EtcdError('RK_REGISTRY_BAD_RESPONSE', reason, { hint: NO_ETCD_HINT });
  }
  if (type === 'PUT') return { type: 'put', ...toKeyValue(kv) };
  return { type: 'delete', key: kv.key.toString('utf8'), modRevision: BigInt(kv.mod_revision) };
}
