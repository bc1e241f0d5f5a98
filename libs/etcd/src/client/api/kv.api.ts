import type { EtcdMembers, EtcdRequestOptions } from '../etcd-members.js';
import { encodeRange, type EtcdRange } from '../key-range.js';
import { toKeyValue, type EtcdKeyValue } from '../key-value.js';
import type { CompareMessage, RequestOp, ResponseOp } from './messages.js';

export interface EtcdReadOptions extends EtcdRequestOptions {
  /** As it was then. Default: now. */
  revision?: bigint;
  /** From the member itself, without asking the others: it may be behind. It needs no leader. Default: false. */
  serializable?: boolean;
  /** Without the values. Default: false. */
  keysOnly?: boolean;
  /** At most so many, in the order of their keys. Default: all. */
  limit?: number;
}

export interface EtcdPutOptions extends EtcdRequestOptions {
  /** Removes the key when it ends. Default: none. */
  lease?: bigint;
}

export interface EtcdRead {
  readonly values: readonly EtcdKeyValue[];
  /** Of the store when it was read: a watch continues from the next one. */
  readonly revision: bigint;
}

/** A condition of a transaction; a key that does not exist has 0 for everything. */
export interface EtcdCompare {
  key: string;
  target: 'value' | 'version' | 'createRevision' | 'modRevision' | 'lease';
  /** Default: `=`. */
  is?: '=' | '!=' | '<' | '>';
  to: bigint | string | Buffer;
}

export type EtcdOperation =
  | { readonly put: string; readonly value: string | Buffer; readonly lease?: bigint }
  | { readonly delete: EtcdRange }
  | { readonly get: EtcdRange };

export interface EtcdTransaction {
  /** All must hold. Default: none. */
  if?: readonly EtcdCompare[];
  then?: readonly EtcdOperation[];
  else?: readonly EtcdOperation[];
}

export interface EtcdTransactionResult {
  /** Whether the conditions held. */
  readonly succeeded: boolean;
  readonly revision: bigint;
  /** Of each operation that was done: what it read; empty for those that write. */
  readonly results: readonly (readonly EtcdKeyValue[])[];
}

/** Keys and their values. */
export class KvApi {
  readonly #members: EtcdMembers;

  constructor(members: EtcdMembers) {
    this.#members = members;
  }

  /** @returns undefined: there is no such key */
  async get(key: string, options: EtcdReadOptions = {}): Promise<EtcdKeyValue | undefined> {
    return (await this.range(key, options)).values[0];
  }

  async range(range: EtcdRange, options: EtcdReadOptions = {}): Promise<EtcdRead> {
    const { revision, serializable, keysOnly, limit, ...request } = options;
    const { header, kvs } = await this.#members.request(
      'KV/Range',
      {
        ...encodeRange(range),
        ...(revision === undefined ? {} : { revision: String(revision) }),
        ...(serializable ? { serializable } : {}),
        ...(keysOnly ? { keys_only: keysOnly } : {}),
        ...(limit === undefined ? {} : { limit: String(limit) }),
      },
      request,
    );
    return { values: kvs.map(toKeyValue), revision: BigInt(header.revision) };
  }

  /** @returns the revision of the store that it led to */
  async put(
    key: string,
    value: string | Buffer,
    { lease, ...options }: EtcdPutOptions = {},
  ): Promise<bigint> {
    const { header } = await this.#members.request('KV/Put', putRequest(key, value, lease), options);
    return BigInt(header.revision);
  }

  /** @returns how many keys were deleted */
  async delete(range: EtcdRange, options: EtcdRequestOptions = {}): Promise<number> {
    const { deleted } = await this.#members.request('KV/DeleteRange', encodeRange(range), options);
    return Number(deleted);
  }

  /** Either all of it is done, or nothing. It is not repeated with another member once it may have been done. */
  async transaction(
    { if: conditions = [], then = [], else: otherwise = [] }: EtcdTransaction,
    options: EtcdRequestOptions = {},
  ): Promise<EtcdTransactionResult> {
    const request = {
      compare: conditions.map(compareMessage),
      success: then.map(requestOp),
      failure: otherwise.map(requestOp),
    };
    const { header, succeeded, responses } = await this.#members.request('KV/Txn', request, options);
    return { succeeded, revision: BigInt(header.revision), results: responses.map(resultOf) };
  }

  /** Forgets what was before a revision. */
  async compact(revision: bigint, options: EtcdRequestOptions = {}): Promise<void> {
    await this.#members.request('KV/Compact', { revision: String(revision) }, options);
  }
}

const RESULTS = { '=': 'EQUAL', '!=': 'NOT_EQUAL', '<': 'LESS', '>': 'GREATER' } as const;

function compareMessage({ key, target, is = '=', to }: EtcdCompare): CompareMessage {
  const common = { key: Buffer.from(key), result: RESULTS[is] };
  switch (target) {
    case 'value':
      return { ...common, target: 'VALUE', value: Buffer.isBuffer(to) ? to : Buffer.from(String(to)) };
    case 'version':
      return { ...common, target: 'VERSION', version: String(to) };
    case 'createRevision':
      return { ...common, target: 'CREATE', create_revision: String(to) };
    case 'modRevision':
      return { ...common, target: 'MOD', mod_revision: String(to) };
    case 'lease':
      return { ...common, target: 'LEASE', lease: String(to) };
  }
}

function requestOp(operation: EtcdOperation): RequestOp {
  if ('put' in operation) return { request_put: putRequest(operation.put, operation.value, operation.lease) };
  if ('delete' in operation) return { request_delete_range: encodeRange(operation.delete) };
  return { request_range: encodeRange(operation.get) };
}

function putRequest(
  key: string,
  value: string | Buffer,
  lease: bigint | undefined,
): { key: Buffer; value: Buffer; lease?: string } {
  const bytes = Buffer.isBuffer(value) ? value : Buffer.from(value);
  return { key: Buffer.from(key), value: bytes, ...(lease === undefined ? {} : { lease: String(lease) }) };
}

function resultOf({ response_range: range }: ResponseOp): readonly EtcdKeyValue[] {
  return range?.kvs.map(toKeyValue) ?? [];
}
