import type { ConsulRequester } from '../consul-requester.js';
import type { ConsulRequestOptions } from '../request-options.js';

/** `/v1/status`: the servers. It never needs a token. */
export class StatusApi {
  readonly #requester: ConsulRequester;

  constructor(requester: ConsulRequester) {
    this.#requester = requester;
  }

  /** `address:port` of the leader; undefined when there is none. */
  async leader(options?: ConsulRequestOptions): Promise<string | undefined> {
    return (await this.#requester.json<string>('GET', '/v1/status/leader', options)).body || undefined;
  }

  async peers(options?: ConsulRequestOptions): Promise<string[]> {
    return (await this.#requester.json<string[]>('GET', '/v1/status/peers', options)).body;
  }
}
