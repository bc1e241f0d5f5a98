import { DiscoveryError } from '@rookery/discovery';
import { badResponse, parseJson, type ConsulRequester } from '../consul-requester.js';
import type { ConsulRequestOptions } from '../request-options.js';
import type { TxnOperation, TxnOutcome, TxnResult } from './types.js';

/** Consul takes no more in one transaction. */
export const MAX_OPERATIONS = 64;

/** `/v1/txn`: several operations on the key-value store, all or none. */
export class TxnApi {
  readonly #requester: ConsulRequester;

  constructor(requester: ConsulRequester) {
    this.#requester = requester;
  }

  /**
   * A transaction that is rolled back is a result, not an error.
   *
   * @throws DiscoveryError `RK_INVALID_ARGUMENT` for more than 64 operations
   */
  async commit(operations: readonly TxnOperation[], options?: ConsulRequestOptions): Promise<TxnOutcome> {
    if (operations.length > MAX_OPERATIONS) {
      throw new DiscoveryError('RK_INVALID_ARGUMENT', `operations: ${operations.length}`, {
        hint: `A transaction of Consul has at most ${MAX_OPERATIONS}; split it`,
      });
    }
    const parts = { bytes: `[${operations.map(toJson).join()}]`, accept: [409] };
    const answer = await this.#requester.raw('PUT', '/v1/txn', options, parts);
    const body = parseJson(answer, 'PUT /v1/txn', 'object') as {
      Results?: TxnResult[] | null;
      Errors?: TxnOutcome['errors'] | null;
    };
    // Consul has both in each answer; without them something else has answered, and nothing was written.
    if (body.Results === undefined) throw badResponse('PUT /v1/txn', answer.status, 'it has no results');
    return { committed: answer.status !== 409, results: body.Results ?? [], errors: body.Errors ?? [] };
  }
}

/** `JSON.stringify` takes no bigint, and a number above 2^53, as the flags of a lock are, would lose its last digits. */
function toJson({ KV: { Flags, ...rest } }: TxnOperation): string {
  const fields = JSON.stringify(rest);
  return `{"KV":${Flags === undefined ? fields : `${fields.slice(0, -1)},"Flags":${Flags}}`}}`;
}
