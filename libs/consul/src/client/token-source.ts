import { readFile } from 'node:fs/promises';
import type { Clock } from '@rookery/discovery/adapter';
import { ConsulError } from './consul-error.js';
import { Secret } from '@rookery/discovery/adapter';

/** Provides the ACL token. */
export interface TokenSource {
  /** Undefined: there is none, and the agent's anonymous token applies. */
  current(): Promise<Secret | undefined>;
  /** To be called when Consul refused a token; resolves to true when there is now a different one. */
  refused(used: Secret | undefined): Promise<boolean>;
  /** The token before, for a minute: the new one may not be known to the agent yet. */
  readonly previous?: Secret | undefined;
  /** Another number whenever the token has changed. Undefined: it never does. */
  readonly version: number | undefined;
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
    load: async () => readFile(path, 'utf8'),
    name: `the token file ${path}`,
    failure: 'cannot be read',
    clock,
    maxAgeMs: FILE_MAX_AGE_MS,
    warn,
  });
}

export function providedToken(
  provide: TokenProvider,
  clock: Clock,
  warn: (message: string) => void,
): TokenSource {
  return cachedToken({
    load: async () => provide(),
    name: 'the tokenProvider',
    failure: 'failed',
    clock,
    maxAgeMs: Infinity,
    warn,
  });
}

/**
 * An agent that asks a server for a new token before that server has it goes on denying the token for 30 s (its `acl_token_ttl`):
 * on a cluster of three, one of ten tokens that were used within milliseconds.
 */
const PREVIOUS_MAX_AGE_MS = 60_000;

interface CachedTokenOptions {
  readonly load: () => Promise<string>;
  readonly name: string;
  /** What is said of an error of `load`, after the name. */
  readonly failure: string;
  readonly clock: Clock;
  readonly maxAgeMs: number;
  readonly warn: (message: string) => void;
}

/** The form of Consul's own tokens. */
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

function cachedToken({ load, name, failure, clock, maxAgeMs, warn }: CachedTokenOptions): TokenSource {
  let secret: Secret | undefined;
  let previous: Secret | undefined;
  let changedAt = -Infinity;
  let version = 0;
  let hasWarned = false;
  let loadedAt = -Infinity;
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
    if (!secret)
      throw new ConsulError('RK_ACL_DENIED', message, {
        retryable: true,
        ...(cause === undefined ? {} : { cause }),
      });
    if (!hasWarned) warn(`${message}; the last token stays in use`);
    hasWarned = true;
  };
  const reload = (): Promise<void> => {
    loading ??= load()
      .then(
        (value) => {
          loadedAt = clock.now();
          const next = value.trim();
          const problem = problemOf(next, secret?.reveal());
          if (problem === undefined) adopt(next);
          else keep(problem);
        },
        (error: unknown) => {
          loadedAt = clock.now();
          keep(failure, error);
        },
      )
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
      if (!secret || clock.now() - loadedAt > maxAgeMs) await reload();
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
  if (last !== undefined && UUID.test(last) && !UUID.test(next)) return 'has no valid token';
  return undefined;
}
