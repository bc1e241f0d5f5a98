import type { CheckStatus } from '@rookery/discovery';
import { answerOf, type ConsulAnswer } from '../consul-response.js';
import { segment, type ConsulRequester, type RequestParts } from '../consul-requester.js';
import type { ConsulListOptions } from '../request-options.js';
import type { HealthCheck, ServiceEntry } from './types.js';

export interface HealthServiceOptions extends ConsulListOptions {
  /** Only instances all of whose checks pass; it leaves out *warning* as well. Default: false. */
  passing?: boolean;
  /** Instances that carry all of these tags. */
  tags?: readonly string[];
  /** Sort by network distance from this node; `_agent` is the agent that answers. */
  near?: string;
  /** Takes one of the few connections that lists are polled on. Default: false. */
  polled?: boolean;
}

export interface HealthNodeOptions extends ConsulListOptions {
  /** Takes one of the few connections that the app's own registration is watched on. Default: false. */
  ownRegistration?: boolean;
}

/** `/v1/health`: instances and their checks. */
export class HealthApi {
  readonly #requester: ConsulRequester;

  constructor(requester: ConsulRequester) {
    this.#requester = requester;
  }

  /** The instances of a service; an unknown service has none. */
  async service(name: string, options: HealthServiceOptions = {}): Promise<ConsulAnswer<ServiceEntry[]>> {
    return this.#requester.json('GET', pathOf(name), options, { shape: 'array', ...partsOf(options) });
  }

  /** The same with its body as it came, for who does not parse a long list as a whole. */
  async serviceBytes(name: string, options: HealthServiceOptions = {}): Promise<ConsulAnswer<Buffer>> {
    const { body, headers } = await this.#requester.raw('GET', pathOf(name), options, {
      ...partsOf(options),
      ...(options.polled ? { lane: 'poll' } : {}),
      ...(options.index === undefined ? {} : { lane: 'list' }),
    });
    return answerOf(body, headers);
  }

  async node(node: string, options: HealthNodeOptions = {}): Promise<ConsulAnswer<HealthCheck[]>> {
    return this.#requester.json('GET', `/v1/health/node/${segment(node, 'node')}`, options, {
      shape: 'array',
      ...(options.ownRegistration ? { lane: 'own-watch' } : {}),
    });
  }

  async state(state: CheckStatus | 'any', options?: ConsulListOptions): Promise<ConsulAnswer<HealthCheck[]>> {
    return this.#requester.json('GET', `/v1/health/state/${state}`, options, { shape: 'array' });
  }
}

function pathOf(service: string): string {
  return `/v1/health/service/${segment(service, 'name')}`;
}

function partsOf({ passing, near, tags = [] }: HealthServiceOptions): RequestParts {
  return { query: { passing: passing ? true : undefined, near }, tags };
}
