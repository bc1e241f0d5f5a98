import type { StoredValue } from '../kv/guarded-operation.js';
import type { LockContest, SemaphoreContest } from './contention/contest.js';
import type { LockHolder } from './lock/lock-holder.js';

/** What a registry brings, so that there are locks, semaphores, elections and jobs of a leader on it. */
export abstract class CoordinationStore {
  /** Its name, for messages. */
  abstract readonly name: string;

  /**
   * @param holder what is written of this process, for other ones to see
   * @throws DiscoveryError `RK_INVALID_ARGUMENT` for a key that the registry would refuse or change
   */
  abstract lock(key: string, holder: () => LockHolder): LockContest;

  abstract semaphore(prefix: string, limit: number, holder: () => LockHolder): SemaphoreContest;

  /** Where the ticks of a job are claimed, by the leader of an election. */
  abstract tickKey(election: string, job: string): string;

  /** As the servers have it now. @returns undefined when there is no such key */
  abstract read(key: string): Promise<StoredValue | undefined>;

  /**
   * Replaces the value of a key, or deletes it, if it is still as it was read.
   *
   * @param value undefined deletes it
   * @returns false when it has changed
   */
  abstract replace(key: string, value: string | undefined, modifyIndex: number): Promise<boolean>;

  /** Ends its watches, when the app ends: their observables complete. Default: it has none of its own. */
  close(): void {
    return undefined;
  }
}
