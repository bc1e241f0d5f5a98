import type { ConsulResponse } from '../consul-response.js';
import { segment, type ConsulRequester } from '../consul-requester.js';
import type { ConsulRequestOptions } from '../request-options.js';
import type { PreparedQueryResult } from './types.js';

/** `/v1/query`: prepared queries. They cannot block. */
export class QueryApi {
  readonly #requester: ConsulRequester;

  constructor(requester: ConsulRequester) {
    this.#requester = requester;
  }

  /** @throws ConsulError `RK_NOT_FOUND` when there is no query with this name or id */
  async execute(
    query: string,
    options: ConsulRequestOptions & { limit?: number; near?: string } = {},
  ): Promise<ConsulResponse<PreparedQueryResult>> {
    return this.#requester.json('GET', `/v1/query/${segment(query, 'query')}/execute`, options, {
      query: { limit: options.limit, near: options.near },
    });
  }
}
