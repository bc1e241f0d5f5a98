import { DiscoveryError } from '@rookery/discovery';
import type { AclRight } from '../../acl/acl-right.js';
import { ConsulError } from '../consul-error.js';
import type { ConsulRequester } from '../consul-requester.js';
import type { ConsulRequestOptions } from '../request-options.js';
import type { AclLogin, LoginResult } from './types.js';

interface LoginResponse {
  readonly SecretID?: unknown;
  readonly CreateTime?: unknown;
  readonly ExpirationTime?: unknown;
}

/** Without a token: neither is asked for with one that may have expired. */
const ANONYMOUS = '';

/** `/v1/acl`: what applications need of it. */
export class AclApi {
  readonly #requester: ConsulRequester;

  constructor(requester: ConsulRequester) {
    this.#requester = requester;
  }

  /**
   * Which of these rights the token has; all of them where ACLs are off. By an endpoint that Consul has for its own UI.
   *
   * @throws ConsulError also by an agent that does not have it
   */
  async allows(rights: readonly AclRight[], options?: ConsulRequestOptions): Promise<readonly boolean[]> {
    const body = rights.map(({ resource, access, name }) => ({
      Resource: resource,
      Access: access,
      Segment: name,
    }));
    const parts = { body, shape: 'array' } as const;
    const path = '/v1/internal/acl/authorize';
    try {
      const { body: answers } = await this.#requester.json<{ Allow?: unknown }[]>(
        'POST',
        path,
        options,
        parts,
      );
      return rights.map((_, n) => answers[n]?.Allow === true);
    } catch (error) {
      if (error instanceof ConsulError && error.status === 401) return rights.map(() => true);
      throw error;
    }
  }

  async login({ method, bearerToken, meta }: AclLogin, options?: ConsulRequestOptions): Promise<LoginResult> {
    const path = '/v1/acl/login';
    const body = { AuthMethod: method, BearerToken: bearerToken, ...(meta ? { Meta: meta } : {}) };
    const parts = { body, shape: 'object' } as const;
    const { body: made } = await this.#requester
      .json<LoginResponse>('POST', path, { ...options, token: ANONYMOUS }, parts)
      .catch((error: unknown) => {
        throw refusedLogin(error, method);
      });
    if (typeof made.SecretID !== 'string' || made.SecretID === '') {
      throw new ConsulError('RK_REGISTRY_BAD_RESPONSE', `POST ${path}: the response has no SecretID`, {
        hint: 'Another server than Consul may be listening at this address',
      });
    }
    return { secret: made.SecretID, validForMs: lifetimeOf(made) };
  }

  /** Whether the server that the agent uses has this token already; the agent itself keeps no note of the answer. */
  async isKnown(secret: string, options?: ConsulRequestOptions): Promise<boolean> {
    const known = { ...options, token: secret, consistency: 'stale' } as const;
    const { status } = await this.#requester.raw('GET', '/v1/acl/token/self', known, { accept: [403] });
    return status !== 403;
  }

  /** Deletes a token that a login has made; one that no longer exists is no error. */
  async logout(secret: string, options?: ConsulRequestOptions): Promise<void> {
    await this.#requester
      .nothing('POST', '/v1/acl/logout', { ...options, token: secret })
      .catch((error: unknown) => {
        if (!(error instanceof DiscoveryError) || error.code !== 'RK_ACL_DENIED') throw error;
      });
  }
}

/** Consul answers with status 500 also where the bearer token is wrong; the next one may be right. */
function refusedLogin(error: unknown, method: string): unknown {
  if (
    !(error instanceof ConsulError) ||
    (error.code !== 'RK_REGISTRY_ERROR' && error.code !== 'RK_ACL_DENIED')
  )
    return error;
  return new ConsulError('RK_ACL_DENIED', `the auth method "${method}" refuses the login: ${error.message}`, {
    hint: 'See agent.login, and the auth method and its binding rules in Consul',
    retryable: true,
    cause: error,
  });
}

/** By the clock of Consul alone. */
function lifetimeOf({ CreateTime, ExpirationTime }: LoginResponse): number | undefined {
  const lifetime = Date.parse(String(ExpirationTime)) - Date.parse(String(CreateTime));
  return Number.isFinite(lifetime) && lifetime > 0 ? lifetime : undefined;
}
