import type { Duration } from '@rookery/discovery';
import {
  durationSchema,
  nonEmptyString,
  toMilliseconds,
  type OptionIssue,
  type OptionShape,
} from '@rookery/discovery/adapter';
import { z } from 'zod';

/** The sessions of locks, semaphores and elections. */
export interface LockOptions {
  /**
   * How long a holder that Consul does not hear of keeps what it holds; Consul waits up to twice as long. Shorter ones are lost in a
   * shorter outage: one of two thirds of it is always survived. Default: `'15s'`; from 10 s.
   */
  ttl?: Duration;
  /**
   * How long Consul keeps a lock from everyone after it took it from its holder, which may not know yet. Not below the TTL. Default: `ttl`, and 60 s above that, since Consul
   * applies no more: with such a TTL use no `checks`, which end a session early.
   */
  lockDelay?: Duration;
  /**
   * The checks that end the session when they are critical, and with it what is held. `none`: only the TTL does. `service`: those of this
   * app's service, as registered; locks are released before it is deregistered. Or ids of checks of this agent, such as `serfHealth`, which flaps with its network. Default: `'none'`.
   */
  checks?: 'none' | 'service' | readonly string[];
  /** Warn of a lock that is held for longer. Default: never; an option of each lock overrides it. */
  warnAfter?: Duration;
  /** How long the end of the app waits for work under a lock whose `signal` has aborted. Default: `'5s'`. */
  shutdownTimeout?: Duration;
}

export interface ResolvedLockOptions {
  readonly ttlMs: number;
  readonly lockDelayMs: number;
  readonly checks: 'none' | 'service' | readonly string[];
  readonly warnAfterMs: number | undefined;
  readonly shutdownTimeoutMs: number;
}

const MIN_TTL_MS = 10_000;
const MAX_TTL_MS = 86_400_000;
const DEFAULT_TTL_MS = 15_000;
/** Consul applies no longer one, though it takes and shows it. */
const MAX_LOCK_DELAY_MS = 60_000;
const DEFAULT_SHUTDOWN_TIMEOUT_MS = 5_000;

export const lockOptionsShape = {
  ttl: durationSchema(MIN_TTL_MS, MAX_TTL_MS).optional(),
  lockDelay: durationSchema(MIN_TTL_MS, MAX_LOCK_DELAY_MS).optional(),
  checks: z
    .union([z.enum(['none', 'service']), z.array(nonEmptyString('must be the id of a check')).nonempty()], {
      error: "must be 'none', 'service', or ids of checks such as ['serfHealth']",
    })
    .optional(),
  warnAfter: durationSchema().optional(),
  shutdownTimeout: durationSchema().optional(),
} satisfies OptionShape<LockOptions>;

export const lockOptionsSchema = z.strictObject(lockOptionsShape, {
  error: "must be an object such as { ttl: '15s' }",
});

export function resolveLockOptions(options: LockOptions = {}): ResolvedLockOptions {
  const {
    ttl = DEFAULT_TTL_MS,
    checks = 'none',
    warnAfter,
    shutdownTimeout = DEFAULT_SHUTDOWN_TIMEOUT_MS,
  } = options;
  const ttlMs = toMilliseconds(ttl, 'locks.ttl');
  const { lockDelay = Math.min(ttlMs, MAX_LOCK_DELAY_MS) } = options;
  return {
    ttlMs,
    lockDelayMs: toMilliseconds(lockDelay, 'locks.lockDelay'),
    checks,
    warnAfterMs: warnAfter === undefined ? undefined : toMilliseconds(warnAfter, 'locks.warnAfter'),
    shutdownTimeoutMs: toMilliseconds(shutdownTimeout, 'locks.shutdownTimeout'),
  };
}

/** What the schema of each field cannot see; the fields are valid. */
export function lockOptionIssues(options: LockOptions = {}): OptionIssue[] {
  const { ttlMs, lockDelayMs } = resolveLockOptions(options);
  if (options.lockDelay === undefined || lockDelayMs >= Math.min(ttlMs, MAX_LOCK_DELAY_MS)) return [];
  return [
    {
      field: 'locks.lockDelay',
      value: JSON.stringify(options.lockDelay),
      hint: `must not be below locks.ttl, ${ttlMs} ms: a holder that was cut off works until then`,
    },
  ];
}
