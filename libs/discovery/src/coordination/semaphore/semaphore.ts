import type { SemaphoreContest } from '../contention/contest.js';
import type { Lock } from '../contention/lock.js';
import type { LockAcquireOptions, LockTable } from '../contention/lock-table.js';

/**
 * At most `limit` holders at a time, in all processes: `LockService.semaphore(prefix, limit)`. What it grants is a `Lock`, whose `fence` orders
 * acquisitions; it excludes no other, since there are several holders.
 *
 * @example
 * ```ts
 * const exports = locks.semaphore('semaphores/exports', 3);
 * await exports.withPermit(async ({ signal }) => exportBooks(signal));
 * ```
 */
export class Semaphore {
  readonly #contest: SemaphoreContest;
  readonly #table: LockTable;

  /** @internal */
  constructor(contest: SemaphoreContest, table: LockTable) {
    this.#contest = contest;
    this.#table = table;
  }

  get prefix(): string {
    return this.#contest.key;
  }

  get limit(): number {
    return this.#contest.limit;
  }

  /** Runs work with a permit, as `LockService.withLock`. */
  async withPermit<T>(
    work: (permit: Lock) => T | PromiseLike<T>,
    options: LockAcquireOptions = {},
  ): Promise<T> {
    return this.#table.run(await this.acquire(options), work);
  }

  /** A permit, if one is free now; undefined otherwise. Release it: `await permit.release()`. */
  async tryAcquire(options: Omit<LockAcquireOptions, 'waitFor'> = {}): Promise<Lock | undefined> {
    return this.#table.tryAcquire(this.#contest, options);
  }

  /** Waits for a permit. Release it: `await permit.release()`. */
  async acquire(options: LockAcquireOptions = {}): Promise<Lock> {
    return this.#table.acquire(this.#contest, options);
  }
}
