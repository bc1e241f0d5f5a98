import type { CheckStatus } from '@rookery/discovery/adapter';
import { toConsulResponse, type ConsulResponse } from '../consul-response.js';
import { segment, type ConsulRequester, type RequestParts } from '../consul-requester.js';
import type { ConsulListOptions } from '../request-options.js';
import type { HealthCheck, ServiceEntry } from './types.js';

export interface HealthServiceOptions extends ConsulListOptions {
  /** Only instances whose checks are all passing, without those in *warning*. Default: false. */
  passing?: boolean;
  /** Instances that carry all of these tags. */
  tags?: readonly string[];
  /** Sort by network distance from this node; `_agent` is the agent that answers. */
  near?: string;
  /** Uses one of the few connections for polling lists. Default: false. */
  polled?: boolean;
}

export interface HealthNodeOptions extends ConsulListOptions {
  /** Uses one of the few connections for watching the app's own registration. Default: false. */
  ownRegistration?: boolean;
}

/** `/v1/health`: instances and their checks. */
export class HealthApi {
  readonly #requester: ConsulRequester;

  constructor(requester: ConsulRequester) {
    this.#requester = requester;
  }

  /** The instances of a service; an unknown service has none. */
  async service(name: string, options: HealthServiceOptions = {}): Promise<ConsulResponse<ServiceEntry[]>> {
    return this.#requester.json('GET', pathOf(name), options, { shape: 'array', ...partsOf(options) });
  }

  /** The same with an unparsed body, for parsing a long list piece by piece. */
  async serviceBytes(name: string, options: HealthServiceOptions = {}): Promise<ConsulResponse<Buffer>> {
    const { body, headers } = await this.#requester.raw('GET', pathOf(name), options, {
      ...partsOf(options),
      ...(options.polled ? { lane: 'poll' } : {}),
      ...(options.index === undefined ? {} : { lane: 'list' }),
    });
    return toConsulResponse(body, headers);
  }

  async node(node: string, options: HealthNodeOptions = {}): Promise<ConsulResponse<HealthCheck[]>> {
    return this.#requester.json('GET', `/v1/health/node/${segment(node, 'node')}`, options, {
      shape: 'array',
      ...(options.ownRegistration ? { lane: 'own-watch' } : {}),
    });
  }

  async state(
    state: CheckStatus | 'any',
    options?: ConsulListOptions,
  ): Promise<ConsulResponse<HealthCheck[]>> {
    return this.#requester.json('GET', `/v1/health/state/${state}`, options, { shape: 'array' });
  }
}

function pathOf(service: string): string {
  return `/v1/health/service/${segment(service, 'name')}`;
}

function partsOf({ passing, near, tags = [] }: HealthServiceOptions): RequestParts {
  return { query: { passing: passing ? true : undefined, near }, tags };
}
