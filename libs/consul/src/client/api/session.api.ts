import { ConsulError } from '../consul-error.js';
import type { ConsulResponse } from '../consul-response.js';
import { segment, type ConsulRequester } from '../consul-requester.js';
import type { ConsulReadOptions, ConsulRequestOptions } from '../request-options.js';
import type { Session, SessionDefinition } from './types.js';

/** `/v1/session`: the sessions that hold locks. */
export class SessionApi {
  readonly #requester: ConsulRequester;

  constructor(requester: ConsulRequester) {
    this.#requester = requester;
  }

  /** @returns the new session's id */
  async create(definition: SessionDefinition = {}, options?: ConsulRequestOptions): Promise<string> {
    const parts = { body: definition, shape: 'object' as const };
    const { body } = await this.#requester.json<{ ID?: unknown }>(
      'PUT',
      '/v1/session/create',
      options,
      parts,
    );
    if (typeof body.ID === 'string' && body.ID !== '') return body.ID;
    throw new ConsulError('RK_REGISTRY_BAD_RESPONSE', 'PUT /v1/session/create: the response has no ID', {
      hint: 'Another server than Consul may be listening at this address',
    });
  }

  /**
   * @param isPatient it may take long, and must not hold a connection that other renewals need
   * @throws ConsulError `RK_NOT_FOUND` when the session is gone
   */
  async renew(id: string, options?: ConsulRequestOptions, isPatient = false): Promise<Session | undefined> {
    const path = `/v1/session/renew/${segment(id, 'id')}`;
    const parts = { lane: isPatient ? 'plain' : 'session', shape: 'array' } as const;
    return (await this.#requester.json<Session[]>('PUT', path, options, parts)).body[0];
  }

  async destroy(id: string, options?: ConsulRequestOptions): Promise<void> {
    await this.#requester.nothing('PUT', `/v1/session/destroy/${segment(id, 'id')}`, options);
  }

  /** `body` is undefined when the session is gone. */
  async info(id: string, options?: ConsulReadOptions): Promise<ConsulResponse<Session | undefined>> {
    const path = `/v1/session/info/${segment(id, 'id')}`;
    const { body, ...rest } = await this.#requester.json<Session[] | null>('GET', path, options);
    return { ...rest, body: body?.[0] };
  }

  async list(options?: ConsulReadOptions): Promise<ConsulResponse<Session[]>> {
    return this.#requester.json('GET', '/v1/session/list', options, { shape: 'array' });
  }
}
