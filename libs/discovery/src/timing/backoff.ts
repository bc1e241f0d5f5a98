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

/** A registry that is left alone for longer would make the app blind. */
const MAX_REGISTRY_RETRY_AFTER_MS = 60_000;

/** The delay that the `Retry-After` of a registry asks for, capped and jittered; undefined when the error has none. */
export function retryAfterDelay(error: unknown, random: Random): number | undefined {
  const retryAfterMs = error instanceof DiscoveryError ? error.retryAfterMs : undefined;
  return retryAfterMs === undefined
    ? undefined
    : cappedDelay(retryAfterMs, MAX_REGISTRY_RETRY_AFTER_MS, random);
}

/** What a message says about the `Retry-After` of a registry that is not obeyed in full; empty when it is. */
export function describeRegistryCap(retryAfterMs: number): string {
  return describeCap(retryAfterMs, MAX_REGISTRY_RETRY_AFTER_MS);
}

/** Caps a requested delay, and adds up to 20 % so that the clients that got the same one do not return together. */
export function cappedDelay(requestedMs: number, maxMs: number, random: Random): number {
  return Math.min(requestedMs, maxMs) * (1 + 0.2 * random());
}

/** What a message says about a requested delay that is not obeyed in full; empty when it is. */
export function describeCap(requestedMs: number, maxMs: number): string {
  if (requestedMs <= maxMs) return '';
  return `; Retry-After asks for ${Math.round(requestedMs / 1000)} s, and ${maxMs / 1000} s are obeyed`;
}
