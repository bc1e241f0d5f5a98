import type { CheckStatus } from '@rookery/discovery/adapter';
import type { ConsulResponse } from '../consul-response.js';
import { ConsulError } from '../consul-error.js';
import { segment, type ConsulRequester, type RequestParts } from '../consul-requester.js';
import type { ConsulListOptions, ConsulReadOptions, ConsulRequestOptions } from '../request-options.js';
import type { AgentSelf, AgentService, HealthCheck, ServiceDefinition } from './types.js';

/** `/v1/agent`: the agent, its services and its checks. */
export class AgentApi {
  readonly checks: AgentChecksApi;
  readonly #requester: ConsulRequester;

  constructor(requester: ConsulRequester) {
    this.#requester = requester;
    this.checks = new AgentChecksApi(requester);
  }

  async self(options?: ConsulRequestOptions): Promise<ConsulResponse<AgentSelf>> {
    return this.#requester.json('GET', '/v1/agent/self', options, { shape: 'object' });
  }

  /** The services of this agent by id. */
  async services(options?: ConsulListOptions): Promise<ConsulResponse<Record<string, AgentService>>> {
    return this.#requester.json('GET', '/v1/agent/services', options, { shape: 'object' });
  }

  /**
   * One service of this agent; undefined when it has none with this id.
   * With the `contentHash` of the last response as `hash` it blocks until the registration changes, or for `wait`.
   */
  async service(
    id: string,
    options: ConsulReadOptions & { hash?: string } = {},
  ): Promise<ConsulResponse<AgentService> | undefined> {
    try {
      const shape = 'object' as const;
      const parts: RequestParts =
        options.hash === undefined ? { shape } : { shape, hash: options.hash, lane: 'own-watch' };
      return await this.#requester.json('GET', `/v1/agent/service/${segment(id, 'id')}`, options, parts);
    } catch (error) {
      if (error instanceof ConsulError && error.code === 'RK_NOT_FOUND') return undefined;
      throw error;
    }
  }

  /** `replaceExistingChecks` removes checks that are not in the definition, and ends maintenance. */
  async register(
    definition: ServiceDefinition,
    options: ConsulRequestOptions & { replaceExistingChecks?: boolean } = {},
  ): Promise<void> {
    const query = options.replaceExistingChecks ? { 'replace-existing-checks': true } : {};
    // The agent syncs the service with the token of this request, long after it.
    const parts = { body: definition, query, bindsToken: true };
    await this.#requester.nothing('PUT', '/v1/agent/service/register', options, parts);
  }

  /** An id that the agent does not know is not an error, with any version of Consul. */
  async deregister(id: string, options?: ConsulRequestOptions): Promise<void> {
    const path = `/v1/agent/service/deregister/${segment(id, 'id')}`;
    await this.#requester.nothing('PUT', path, options).catch((error: unknown) => {
      if (!(error instanceof ConsulError && error.code === 'RK_NOT_FOUND')) throw error;
    });
  }

  /** Begins or ends the maintenance of a service. */
  async maintenance(id: string, on: boolean, reason?: string, options?: ConsulRequestOptions): Promise<void> {
    const path = `/v1/agent/service/maintenance/${segment(id, 'id')}`;
    await this.#requester.nothing('PUT', path, options, {
      query: { enable: on, reason },
    });
  }
}

/** `/v1/agent/check`: the checks of the agent, and reports to its TTL checks. */
export class AgentChecksApi {
  readonly #requester: ConsulRequester;

  constructor(requester: ConsulRequester) {
    this.#requester = requester;
  }

  /** The checks of this agent by id. */
  async list(options?: ConsulListOptions): Promise<ConsulResponse<Record<string, HealthCheck>>> {
    return this.#requester.json('GET', '/v1/agent/checks', options, { shape: 'object' });
  }

  /** @throws ConsulError `RK_NOT_FOUND` when the agent does not have the TTL check */
  async pass(id: string, note?: string, options?: ConsulRequestOptions): Promise<void> {
    await this.#report('pass', id, note, options);
  }

  /** @throws ConsulError `RK_NOT_FOUND` when the agent does not have the TTL check */
  async warn(id: string, note?: string, options?: ConsulRequestOptions): Promise<void> {
    await this.#report('warn', id, note, options);
  }

  /** @throws ConsulError `RK_NOT_FOUND` when the agent does not have the TTL check */
  async fail(id: string, note?: string, options?: ConsulRequestOptions): Promise<void> {
    await this.#report('fail', id, note, options);
  }

  /**
   * For an output that is too long for a note, which is a part of the URL.
   *
   * @throws ConsulError `RK_NOT_FOUND` when the agent does not have the TTL check
   */
  async update(id: string, status: CheckStatus, output = '', options?: ConsulRequestOptions): Promise<void> {
    await this.#requester.nothing('PUT', `/v1/agent/check/update/${segment(id, 'id')}`, options, {
      body: { Status: status, Output: output },
      lane: 'heartbeat',
    });
  }

  async #report(verb: string, id: string, note?: string, options?: ConsulRequestOptions): Promise<void> {
    await this.#requester.nothing('PUT', `/v1/agent/check/${verb}/${segment(id, 'id')}`, options, {
      query: { note },
      lane: 'heartbeat',
    });
  }
}
