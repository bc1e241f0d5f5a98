import { readFile } from 'node:fs/promises';
import type { Clock } from '@rookery/discovery/adapter';
import { ConsulError } from './consul-error.js';
import { Secret } from './secret.js';

/** Provides the ACL token. */
export interface TokenSource {
  /** Undefined: there is none, and the agent's anonymous token applies. */
  current(): Promise<Secret | undefined>;
  /** To be called when Consul refused a token; resolves to true when there is now a different one. */
  refused(used: Secret | undefined): Promise<boolean>;
}

/** A function of the application, for tokens from a vault or a login: called once, and again when Consul refuses the token. */
export type TokenProvider = () => string | Promise<string>;

export function fixedToken(value: string | undefined): TokenSource {
  const secret = value ? new Secret(value) : undefined;
  return { current: async () => secret, refused: async () => false };
}

/** A file is read again after this time, so that a rotated token is in use within it. */
const FILE_MAX_AGE_MS = 5_000;

export function tokenFile(path: string, clock: Clock): TokenSource {
  return cachedToken(
    async () => readFile(path, 'utf8'),
    `the token file ${path} cannot be read`,
    clock,
    FILE_MAX_AGE_MS,
  );
}

export function providedToken(provide: TokenProvider, clock: Clock): TokenSource {
  return cachedToken(async () => provide(), 'the tokenProvider failed', clock, Infinity);
}

function cachedToken(
  load: () => Promise<string>,
  failure: string,
  clock: Clock,
  maxAgeMs: number,
): TokenSource {
  let secret: Secret | undefined;
  let loadedAt = -Infinity;
  let loading: Promise<void> | undefined;

  const reload = (): Promise<void> => {
    loading ??= load()
      .then(
        (value) => {
          secret = value.trim() ? new Secret(value.trim()) : undefined;
          loadedAt = clock.now();
        },
        (error: unknown) => {
          // The old token stays in use: it may still be valid.
          loadedAt = clock.now();
          if (!secret) throw new ConsulError('RK_ACL_DENIED', failure, { cause: error, retryable: true });
        },
      )
      .finally(() => (loading = undefined));
    return loading;
  };

  return {
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
