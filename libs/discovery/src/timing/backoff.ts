import { DiscoveryError } from '../errors/discovery-error.js';
import type { Random } from './clock.js';

export interface BackoffOptions {
  /** Longest first pause, in milliseconds. */
  readonly base: number;
  /** Longest pause of all, in milliseconds. */
  readonly cap: number;
}

/**
 * The pause before attempt `failures + 1`: exponential with *full jitter*, so that clients that failed together do not
 * come back together. Source: Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 * Never below a tenth of its ceiling: a pause of zero would make a hot loop of an instantly failing registry.
 */
export function backoffPause(failures: number, { base, cap }: BackoffOptions, random: Random): number {
  const ceiling = Math.min(cap, base * 2 ** Math.min(Math.max(failures - 1, 0), 30));
  return ceiling * (0.1 + 0.9 * random());
}

const LONGEST_PATIENCE_MS = 300_000;

/**
 * How long the one who failed us asked to be left alone, a little more, so that not all come back at once; undefined: it
 * did not ask.
 */
export function askedPause(error: unknown, random: Random): number | undefined {
  const asked = error instanceof DiscoveryError ? error.retryAfter : undefined;
  return asked === undefined ? undefined : patience(asked, random);
}

/** A pause that was asked for: never for ever, and not the same for everybody who was asked. */
export function patience(askedMs: number, random: Random): number {
  return Math.min(askedMs, LONGEST_PATIENCE_MS) * (1 + 0.2 * random());
}
