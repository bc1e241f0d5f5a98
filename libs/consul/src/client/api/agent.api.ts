import type { CheckStatus } from '@rookery/discovery';
import type { ConsulAnswer } from '../consul-response.js';
import { ConsulError } from '../consul-error.js';
import { segment, type ConsulRequester, type RequestParts } from '../consul-requester.js';
import type { ConsulListOptions, ConsulReadOptions, ConsulRequestOptions } from '../request-options.js';
import type { AgentSelf, AgentService, HealthCheck, ServiceDefinition } from './types.js';

/** `/v1/agent`: this agent, the services and the checks that it holds. */
export class AgentApi {
  readonly checks: AgentChecksApi;
  readonly #requester: ConsulRequester;

  constructor(requester: ConsulRequester) {
    this.#requester = requester;
    this.checks = new AgentChecksApi(requester);
  }

  async self(options?: ConsulRequestOptions): Promise<ConsulAnswer<AgentSelf>> {
    return this.#requester.json('GET', '/v1/agent/self', options, { shape: 'object' });
  }

  /** The services of this agent by id. */
  async services(options?: ConsulListOptions): Promise<ConsulAnswer<Record<string, AgentService>>> {
    return this.#requester.json('GET', '/v1/agent/services', options, { shape: 'object' });
  }

  /**
   * One service of this agent; undefined when it has none of this id.
   * With the `hash` of the last answer's `contentHash` it blocks until the registration changes, or for `wait`.
   */
  async service(
    id: string,
    options: ConsulReadOptions & { hash?: string } = {},
  ): Promise<ConsulAnswer<AgentService> | undefined> {
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

  /** `replaceExistingChecks` removes the checks that are not in the definition; it ends maintenance too. */
  async register(
    definition: ServiceDefinition,
    options: ConsulRequestOptions & { replaceExistingChecks?: boolean } = {},
  ): Promise<void> {
    const query = options.replaceExistingChecks ? { 'replace-existing-checks': true } : {};
    await this.#requester.nothing('PUT', '/v1/agent/service/register', options, { body: definition, query });
  }

  /** An id that the agent does not know is no error, whatever its version calls it. */
  async deregister(id: string, options?: ConsulRequestOptions): Promise<void> {
    const path = `/v1/agent/service/deregister/${segment(id, 'id')}`;
    await this.#requester.nothing('PUT', path, options).catch((error: unknown) => {
      if (!(error instanceof ConsulError && error.code === 'RK_NOT_FOUND')) throw error;
    });
  }

  /** Takes a service out of use, or back, without deregistering it. */
  async maintenance(id: string, on: boolean, reason?: string, options?: ConsulRequestOptions): Promise<void> {
    const path = `/v1/agent/service/maintenance/${segment(id, 'id')}`;
    await this.#requester.nothing('PUT', path, options, {
      query: { enable: on, reason },
    });
  }
}

/** `/v1/agent/check`: the checks of this agent, and the beats of its TTL checks. */
export class AgentChecksApi {
  readonly #requester: ConsulRequester;

  constructor(requester: ConsulRequester) {
    this.#requester = requester;
  }

  /** The checks of this agent by id. */
  async list(options?: ConsulListOptions): Promise<ConsulAnswer<Record<string, HealthCheck>>> {
    return this.#requester.json('GET', '/v1/agent/checks', options, { shape: 'object' });
  }

  /** @throws ConsulError `RK_NOT_FOUND` when the agent has no such TTL check (any more) */
  async pass(id: string, note?: string, options?: ConsulRequestOptions): Promise<void> {
    await this.#beat('pass', id, note, options);
  }

  /** @throws ConsulError `RK_NOT_FOUND` when the agent has no such TTL check (any more) */
  async warn(id: string, note?: string, options?: ConsulRequestOptions): Promise<void> {
    await this.#beat('warn', id, note, options);
  }

  /** @throws ConsulError `RK_NOT_FOUND` when the agent has no such TTL check (any more) */
  async fail(id: string, note?: string, options?: ConsulRequestOptions): Promise<void> {
    await this.#beat('fail', id, note, options);
  }

  /**
   * For outputs too long for a note, which travels in the URL.
   *
   * @throws ConsulError `RK_NOT_FOUND` when the agent has no such TTL check (any more)
   */
  async update(id: string, status: CheckStatus, output = '', options?: ConsulRequestOptions): Promise<void> {
    await this.#requester.nothing('PUT', `/v1/agent/check/update/${segment(id, 'id')}`, options, {
      body: { Status: status, Output: output },
      lane: 'heartbeat',
    });
  }

  async #beat(verb: string, id: string, note?: string, options?: ConsulRequestOptions): Promise<void> {
    await this.#requester.nothing('PUT', `/v1/agent/check/${verb}/${segment(id, 'id')}`, options, {
      query: { note },
      lane: 'heartbeat',
    });
  }
}
