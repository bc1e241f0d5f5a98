import type { CheckStatus } from '@rookery/discovery';
import type { ConsulAnswer } from '../consul-answer.js';
import { segment, type ConsulRequester } from '../consul-requester.js';
import type { ConsulListOptions } from '../request-options.js';
import type { HealthCheck, ServiceEntry } from './types.js';

export interface HealthServiceOptions extends ConsulListOptions {
  /** Only instances all of whose checks pass; it leaves out *warning* as well. Default: false. */
  passing?: boolean;
  /** Instances that carry all of these tags. */
  tags?: readonly string[];
  /** Sort by network distance from this node; `_agent` is the agent that answers. */
  near?: string;
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
    return this.#requester.json('GET', `/v1/health/service/${segment(name, 'name')}`, options, {
      shape: 'array',
      query: { passing: options.passing ? true : undefined, near: options.near },
      tags: options.tags ?? [],
    });
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
