import type { Duration } from '../configuration/duration.js';
import { toMilliseconds } from '../configuration/duration.js';
import { durationSchema, type OptionShape } from '../configuration/validate-options.js';

/** Locks, semaphores and elections, on every registry that has them. */
export interface LockOptions {
  /**
   * How long a holder that the registry does not hear of keeps what it holds; Consul waits up to twice as long. Shorter ones are lost in a
   * shorter outage: one of two thirds of it is always survived. Default: `'15s'`; from 10 s.
   */
  ttl?: Duration;
  /** Warn of a lock that is held for longer. Default: never; an option of each lock overrides it. */
  warnAfter?: Duration;
  /** How long the end of the app waits for work under a lock whose `signal` has aborted. Default: `'5s'`. */
  shutdownTimeout?: Duration;
}

export interface ResolvedLockOptions {
  readonly ttlMs: number;
  readonly warnAfterMs: number | undefined;
  readonly shutdownTimeoutMs: number;
}

const MIN_TTL_MS = 10_000;
const MAX_TTL_MS = 86_400_000;
const DEFAULT_TTL_MS = 15_000;
const DEFAULT_SHUTDOWN_TIMEOUT_MS = 5_000;

/** The schema of each field of `LockOptions`. */
export const lockOptionsShape: OptionShape<LockOptions> = {
  ttl: durationSchema(MIN_TTL_MS, MAX_TTL_MS).optional(),
  warnAfter: durationSchema().optional(),
  shutdownTimeout: durationSchema().optional(),
};

export function resolveLockOptions({
  ttl = DEFAULT_TTL_MS,
  warnAfter,
  shutdownTimeout = DEFAULT_SHUTDOWN_TIMEOUT_MS,
}: LockOptions = {}): ResolvedLockOptions {
  return {
    ttlMs: toMilliseconds(ttl, 'locks.ttl'),
    warnAfterMs: warnAfter === undefined ? undefined : toMilliseconds(warnAfter, 'locks.warnAfter'),
    shutdownTimeoutMs: toMilliseconds(shutdownTimeout, 'locks.shutdownTimeout'),
  };
}
