import { DiscoveryError } from '../errors/discovery-error.js';
import type { Random } from './clock.js';

export interface BackoffOptions {
  /** Longest first delay, in milliseconds. */
  readonly base: number;
  /** Longest delay of all, in milliseconds. */
  readonly cap: number;
}

/**
 * The delay before attempt `failures + 1`: exponential with *full jitter*, so that clients that failed together do not
 * come back together. Source: Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 * Never below a tenth of its ceiling: a delay of zero would turn an instantly failing registry into a hot loop.
 */
export function backoffDelay(failures: number, { base, cap }: BackoffOptions, random: Random): number {
  const ceiling = Math.min(cap, base * 2 ** Math.min(Math.max(failures - 1, 0), 30));
  return ceiling * (0.1 + 0.9 * random());
}

const MAX_RETRY_AFTER_MS = 300_000;

/** The delay that the error's `Retry-After` asks for, capped and jittered; undefined when it has none. */
export function retryAfterDelay(error: unknown, random: Random): number | undefined {
  const retryAfterMs = error instanceof DiscoveryError ? error.retryAfterMs : undefined;
  return retryAfterMs === undefined ? undefined : capRetryAfter(retryAfterMs, random);
}

/** Caps a requested delay, and adds up to 20 % so that the clients that got the same one do not return together. */
export function capRetryAfter(retryAfterMs: number, random: Random): number {
  return Math.min(retryAfterMs, MAX_RETRY_AFTER_MS) * (1 + 0.2 * random());
}
