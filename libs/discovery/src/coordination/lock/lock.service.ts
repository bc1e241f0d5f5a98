import { Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { DiscoveryError } from '../../errors/discovery-error.js';
import { NamesItsModule } from '../../errors/provided-by.js';
import type { LockContest } from '../contention/contest.js';
import { assertLockKey } from './lock-key.js';
import type { LockAcquireOptions, LockTable } from '../contention/lock-table.js';
import type { Lock } from '../contention/lock.js';
import type { CoordinationStore } from '../coordination-store.js';
import { Semaphore } from '../semaphore/semaphore.js';
import { explainContention, readReport, type LockExplanation, type LockReport } from './explain-lock.js';
import type { LockHolder } from './lock-holder.js';

/**
 * Locks between processes. A lock is a lease: its holder stops when `signal` aborts, and passes `fence` to what it writes to.
 * Injectable where `ConsulModule` or `EtcdModule` is imported.
 *
 * @example
 * ```ts
 * await locks.withLock('orders/42', async ({ signal, fence }) => {
 *   await database.query('UPDATE orders SET state = $1, version = $2 WHERE id = 42 AND version < $2', ['paid', fence]);
 *   await notify({ signal });
 * });
 * ```
 */
@Injectable()
@NamesItsModule()
export class LockService implements BeforeApplicationShutdown {
  readonly #store: CoordinationStore;
  readonly #table: LockTable;
  readonly #holder: () => LockHolder;

  /** @internal */
  constructor(store: CoordinationStore, table: LockTable, holder: () => LockHolder) {
    this.#store = store;
    this.#table = table;
    this.#holder = holder;
  }

  /**
   * Runs work under the lock of a key, and releases it when the work has settled.
   *
   * @returns what the work returns
   * @throws DiscoveryError `RK_LOCK_TIMEOUT` when it is not free within `waitFor`; `RK_LOCK_LOST` when the work has returned, but the
   *   lock was lost before, so that it may not have been alone; `RK_LOCK_CONFLICT` when the key is something else;
   *   `RK_INVALID_ARGUMENT` under a lock of the same key, which it would wait for for ever
   */
  async withLock<T>(
    key: string,
    work: (lock: Lock) => T | PromiseLike<T>,
    options: LockAcquireOptions = {},
  ): Promise<T> {
    if (typeof work !== 'function') {
      throw new DiscoveryError('RK_INVALID_ARGUMENT', `withLock of ${key}: there is no work`, {
        hint: "Use withLock('locks/orders/42', async ({ signal, fence }) => ...)",
      });
    }
    return this.#table.run(await this.acquire(key, options), work);
  }

  /**
   * Acquires the lock if it is free now. Release it: `await lock.release()`.
   *
   * @returns undefined when it is held, here or elsewhere
   * @throws DiscoveryError when the registry does not respond: whether it is free is not known
   */
  async tryLock(key: string, options: Omit<LockAcquireOptions, 'waitFor'> = {}): Promise<Lock | undefined> {
    return this.#table.tryAcquire(this.#keyLock(key), options);
  }

  /** Waits for the lock. Release it: `await lock.release()`, or `release(lock)`; `withLock` does both. */
  async acquire(key: string, options: LockAcquireOptions = {}): Promise<Lock> {
    return this.#table.acquire(this.#keyLock(key), options);
  }

  /** As `lock.release()`. */
  async release(lock: Lock): Promise<void> {
    await lock.release();
  }

  /**
   * A semaphore: at most `limit` holders at a time, in all processes. In Consul it has the layout of Consul's Go client, so that `consul lock -n` of the
   * same prefix shares it.
   *
   * @param limit the same everywhere: another one is refused while there are holders
   */
  semaphore(prefix: string, limit: number): Semaphore {
    assertLockKey(prefix);
    if (!Number.isSafeInteger(limit) || limit < 1) {
      throw new DiscoveryError('RK_INVALID_ARGUMENT', `limit of the semaphore ${prefix}: ${limit}`, {
        hint: 'Use an integer from 1',
      });
    }
    return new Semaphore(this.#store.semaphore(prefix, limit, this.#holder), this.#table);
  }

  /** What this process holds and waits for. */
  explain(): LockExplanation[];
  /** The holder of a lock, as the registry has it, and what this process has to do with it; of a semaphore only the latter. */
  explain(key: string): Promise<LockReport>;
  explain(key?: string): LockExplanation[] | Promise<LockReport> {
    if (key === undefined) return this.#table.contentions.map(explainContention);
    const own = this.#table.find(assertLockKey(key));
    return readReport(this.#keyLock(key), own && explainContention(own));
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.#table.close();
    this.#store.close();
  }

  #keyLock(key: string): LockContest {
    return this.#store.lock(assertLockKey(key), this.#holder);
  }
}
