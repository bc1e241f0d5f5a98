import { AsyncLocalStorage } from 'node:async_hooks';
import type { Contest } from './contest.js';
import type { Lock } from './lock.js';

interface HeldLocks {
  readonly lock: Lock;
  /** Those that were acquired around it. */
  readonly outer: HeldLocks | undefined;
}

const storage = new AsyncLocalStorage<HeldLocks>();

/**
 * The lock under which this code runs: of the innermost `withLock`, `@Locked` or `@OnlyLeader` around it. So a repository deep down
 * has the fence without a parameter for it.
 *
 * @example
 * ```ts
 * await database.query('UPDATE ... WHERE version < $1', [currentLock()?.fence]);
 * ```
 * @returns undefined outside of any
 */
export function currentLock(): Lock | undefined {
  return storage.getStore()?.lock;
}

/** Runs work, and whatever it calls and awaits, under a lock. */
export function runUnder<T>(lock: Lock, work: () => T): T {
  return storage.run({ lock, outer: storage.getStore() }, work);
}

/** Whether this code runs under the only one that there is of a lock or a semaphore, which it would wait for for ever. */
export function isUnder({ kind, key, localLimit }: Pick<Contest, 'kind' | 'key' | 'localLimit'>): boolean {
  if (localLimit > 1) return false;
  for (let held = storage.getStore(); held; held = held.outer)
    if (held.lock.key === key && held.lock.kind === kind && held.lock.isHeld) return true;
  return false;
}
