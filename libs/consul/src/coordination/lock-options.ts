import type { Duration, LockOptions } from '@rookery/discovery';
import {
  durationSchema,
  lockOptionsShape,
  nonEmptyString,
  resolveLockOptions,
  toMilliseconds,
  type OptionIssue,
  type OptionShape,
  type ResolvedLockOptions,
} from '@rookery/discovery/adapter';
import { z } from 'zod';

/** The sessions of locks, semaphores and elections. */
export interface ConsulLockOptions extends LockOptions {
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
}

export interface ResolvedConsulLockOptions extends ResolvedLockOptions {
  readonly lockDelayMs: number;
  readonly checks: 'none' | 'service' | readonly string[];
}

const MIN_LOCK_DELAY_MS = 10_000;
/** Consul applies no longer one, though it takes and shows it. */
const MAX_LOCK_DELAY_MS = 60_000;

export const lockOptionsSchema = z.strictObject(
  {
    ...lockOptionsShape,
    lockDelay: durationSchema(MIN_LOCK_DELAY_MS, MAX_LOCK_DELAY_MS).optional(),
    checks: z
      .union([z.enum(['none', 'service']), z.array(nonEmptyString('must be the id of a check')).nonempty()], {
        error: "must be 'none', 'service', or ids of checks such as ['serfHealth']",
      })
      .optional(),
  } satisfies OptionShape<ConsulLockOptions>,
  { error: "must be an object such as { ttl: '15s' }" },
);

export function resolveConsulLockOptions(options: ConsulLockOptions = {}): ResolvedConsulLockOptions {
  const { checks = 'none' } = options;
  const resolved = resolveLockOptions(options);
  const { lockDelay = Math.min(resolved.ttlMs, MAX_LOCK_DELAY_MS) } = options;
  return { ...resolved, lockDelayMs: toMilliseconds(lockDelay, 'locks.lockDelay'), checks };
}

/** What the schema of each field cannot see; the fields are valid. */
export function lockOptionIssues(options: ConsulLockOptions = {}): OptionIssue[] {
  const { ttlMs, lockDelayMs } = resolveConsulLockOptions(options);
  if (options.lockDelay === undefined || lockDelayMs >= Math.min(ttlMs, MAX_LOCK_DELAY_MS)) return [];
  return [
    {
      field: 'locks.lockDelay',
      value: JSON.stringify(options.lockDelay),
      hint: `must not be below locks.ttl, ${ttlMs} ms: a holder that was cut off works until then`,
    },
  ];
}
