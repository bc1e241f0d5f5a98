import { readFile } from 'node:fs/promises';
import { DiscoveryError } from '@rookery/discovery';
import { Secret, withTimeout, type Clock } from '@rookery/discovery/adapter';
import type { AclLogin, LoginResult } from './api/types.js';
import { ConsulError } from './consul-error.js';

/** Provides the ACL token. */
export interface TokenSource {
  /** Undefined: there is none, and the agent's anonymous token applies. */
  current(): Promise<Secret | undefined>;
  /**
   * To be called when Consul refused a token; resolves to true when there is now a different one.
   *
   * @param isUnknown Consul does not know it; otherwise it lacks a permission
   */
  refused(used: Secret | undefined, isUnknown: boolean): Promise<boolean>;
  /** The token before, for a minute: the new one may not be known to the agent yet. */
  readonly previous?: Secret | undefined;
  /** Another number whenever the token has changed. Undefined: it never does. */
  readonly version: number | undefined;
  /**
   * Of a token that a login makes.
   *
   * @param login of a client that uses the token
   * @returns the client no longer does; the last one logs out
   */
  connect?(login: LoginCalls): () => Promise<void>;
}

/** How a client makes and deletes a token, without one of its own. */
export interface LoginCalls {
  login(login: AclLogin): Promise<LoginResult>;
  logout(secret: string): Promise<void>;
}

/** A function of the application, for tokens from a vault or a login: called once, and again when Consul refuses the token. */
export type TokenProvider = () => string | Promise<string>;

export function fixedToken(value: string | undefined): TokenSource {
  const secret = value ? new Secret(value) : undefined;
  return { current: async () => secret, refused: async () => false, version: undefined };
}

/** A file is read again after this time, so that a rotated token is in use within it. */
const FILE_MAX_AGE_MS = 5_000;

/** @param warn is told once when the file has no valid token, and the last one stays in use */
export function tokenFile(path: string, clock: Clock, warn: (message: string) => void): TokenSource {
  return cachedToken({
    load: async () => ({ text: await readFile(path, 'utf8') }),
    name: `the token file ${path}`,
    failure: 'cannot be read',
    clock,
    freshForMs: FILE_MAX_AGE_MS,
    warn,
  });
}

export function providedToken(
  provide: TokenProvider,
  clock: Clock,
  warn: (message: string) => void,
): TokenSource {
  return cachedToken({
    load: async () => ({ text: await provide() }),
    name: 'the tokenProvider',
    failure: 'failed',
    clock,
    freshForMs: Infinity,
    warn,
  });
}

/**
 * An agent that asks a server for a new token before that server has it goes on denying the token for 30 s (its `acl_token_ttl`):
 * on a cluster of three, one of ten tokens that were used within milliseconds.
 */
const PREVIOUS_MAX_AGE_MS = 60_000;

export interface LoadedToken {
  readonly text: string;
  /** It is loaded again in the background before this time has passed, in milliseconds. Default: it is valid until it is refused. */
  readonly validForMs?: number | undefined;
}

export interface CachedTokenOptions {
  readonly load: () => Promise<LoadedToken>;
  readonly name: string;
  /** What is said of an error of `load`, after the name. */
  readonly failure: string;
  readonly clock: Clock;
  /** A token of no known validity is loaded again after this time. */
  readonly freshForMs: number;
  readonly warn: (message: string) => void;
}

/** Of its validity: then it is renewed. */
const RENEWED_AFTER = 0.75;
/** A vault whose connection is dead never answers: it is asked again then. */
const LOAD_TIMEOUT_MS = 10_000;
/** Between attempts to renew it. */
const RETRY_MS = 5_000;

/** Whether a header may have it: a token that was pasted with quotation marks of typography, or that is a page with an error, may not. */
export function isTokenText(token: string): boolean {
  return /^[\x21-\x7e]+$/.test(token);
}

/** The form of Consul's own tokens. */
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function cachedToken({
  load,
  name,
  failure,
  clock,
  freshForMs,
  warn,
}: CachedTokenOptions): TokenSource {
  let secret: Secret | undefined;
  let previous: Secret | undefined;
  let changedAt = -Infinity;
  let version = 0;
  let hasWarned = false;
  let dueAt = -Infinity;
  let expiresAt = Infinity;
  let loading: Promise<void> | undefined;

  const adopt = (next: string): void => {
    hasWarned = false;
    if (secret?.reveal() === next) return;
    previous = secret;
    changedAt = clock.now();
    secret = new Secret(next);
    version++;
  };
  /** The last token stays in use: it may still be valid, and without one a registry with ACLs shows empty lists. */
  const keep = (problem: string, cause?: unknown): void => {
    const message = `${name} ${problem}`;
    // A registry that cannot be reached is no denial.
    if (!secret && cause instanceof DiscoveryError) throw cause;
    if (!secret)
      throw new ConsulError('RK_ACL_DENIED', message, {
        retryable: true,
        ...(cause === undefined ? {} : { cause }),
      });
    if (!hasWarned) warn(`${message}; the last token stays in use`);
    hasWarned = true;
  };
  const loaded = ({ text, validForMs }: LoadedToken): void => {
    const given: unknown = text;
    const next = typeof given === 'string' ? given.trim() : '';
    const problem = typeof given === 'string' ? problemOf(next, secret?.reveal()) : 'returned no text';
    dueAt = clock.now() + (validForMs === undefined ? freshForMs : validForMs * RENEWED_AFTER);
    if (problem !== undefined) {
      keep(problem);
      return;
    }
    expiresAt = clock.now() + (validForMs ?? Infinity);
    adopt(next);
  };
  const tooLate = (): Error => new Error(`no result in ${LOAD_TIMEOUT_MS} ms`);
  const reload = (): Promise<void> => {
    loading ??= withTimeout(clock, LOAD_TIMEOUT_MS, load(), tooLate)
      .then(loaded, (error: unknown) => {
        dueAt = clock.now() + (expiresAt === Infinity ? freshForMs : RETRY_MS);
        keep(failure, error);
      })
      .finally(() => (loading = undefined));
    return loading;
  };

  return {
    get version() {
      return version;
    },
    get previous() {
      return clock.now() - changedAt < PREVIOUS_MAX_AGE_MS ? previous : undefined;
    },
    current: async () => {
      if (secret && clock.now() <= dueAt) return secret;
      const loading = reload();
      // Requests do not wait for the next one while this one is valid.
      if (!secret || expiresAt === Infinity || clock.now() >= expiresAt) await loading;
      return secret;
    },
    refused: async (used) => {
      // A concurrent request that was refused may already have fetched the next one.
      if (secret?.reveal() === used?.reveal()) await reload();
      return secret?.reveal() !== used?.reveal();
    },
  };
}

/** Undefined: it is a token. A file that is being rewritten is empty for a moment, or has half of a token. */
function problemOf(next: string, last: string | undefined): string | undefined {
  if (next === '') return 'is empty';
  if (!isTokenText(next))
    return 'has no valid token: it has a space, a line break or a character beyond ASCII';
  if (last !== undefined && UUID.test(last) && !UUID.test(next)) return 'has no valid token';
  return undefined;
}
