import { ConsulError } from '../consul-error.js';
import type { ConsulResponse } from '../consul-response.js';
import { segment, type ConsulRequester, type RequestParts } from '../consul-requester.js';
import type { ConsulReadOptions, ConsulRequestOptions } from '../request-options.js';
import type { ConnectAuthorization, ConnectIntention, ConnectLeaf, ConnectRoots } from './types.js';

/** `/v1/agent/connect` and `/v1/connect`: certificates of services, and which service may call which. */
export class ConnectApi {
  readonly #requester: ConsulRequester;

  constructor(requester: ConsulRequester) {
    this.#requester = requester;
  }

  /** The authorities that certificates of services are signed by, those from before a rotation among them. */
  async roots(options?: ConsulReadOptions): Promise<ConsulResponse<ConnectRoots>> {
    return this.#requester.json('GET', '/v1/agent/connect/ca/roots', options, partsOf('object', options));
  }

  /** The certificate of a service, and its key. The agent has one for as long as it is valid, and then another. */
  async leaf(service: string, options?: ConsulReadOptions): Promise<ConsulResponse<ConnectLeaf>> {
    const path = `/v1/agent/connect/ca/leaf/${segment(service, 'service')}`;
    return this.#requester.json('GET', path, options, partsOf('object', options));
  }

  /** The intentions that may apply to calls of a service, by precedence. Consul 1.8 sends no index with them. */
  async intentionsFor(service: string, options?: ConsulRequestOptions): Promise<readonly ConnectIntention[]> {
    const path = '/v1/connect/intentions/match';
    const { body } = await this.#requester.json<Record<string, ConnectIntention[] | null>>(
      'GET',
      path,
      options,
      { query: { by: 'destination', name: service }, shape: 'object' },
    );
    // Consul says null where there are none. Anything else is not about this service.
    if (!Object.hasOwn(body, service))
      throw new ConsulError(
        'RK_REGISTRY_BAD_RESPONSE',
        `GET ${path}: the response is not about "${service}"`,
        {
          hint: 'Another server than Consul may be listening at this address',
        },
      );
    return body[service] ?? [];
  }

  /** All intentions that the token may read; as a blocking query it returns when any intention has changed. */
  async intentions(options?: ConsulReadOptions): Promise<ConsulResponse<ConnectIntention[]>> {
    return this.#requester.json('GET', '/v1/connect/intentions', options, partsOf('array', options));
  }

  /** Whether a caller, by the URI of its certificate, may call a service. */
  async authorize(
    target: string,
    clientUri: string,
    options?: ConsulRequestOptions,
  ): Promise<ConnectAuthorization> {
    // Consul wants a serial number, and looks it up nowhere.
    const body = { Target: target, ClientCertURI: clientUri, ClientCertSerial: '0' };
    const path = '/v1/agent/connect/authorize';
    const parts = { body, shape: 'object' } as const;
    return (await this.#requester.json<ConnectAuthorization>('POST', path, options, parts)).body;
  }
}

/** What a Connect-native app watches of itself must not wait for other watches. */
function partsOf(shape: RequestParts['shape'] & string, options: ConsulReadOptions = {}): RequestParts {
  return { shape, ...(options.index === undefined ? {} : { lane: 'own-watch' }) };
}
