import type { StoredValue } from '@rookery/discovery';
import {
  CoordinationStore,
  type LockContest,
  type LockHolder,
  type SemaphoreContest,
} from '@rookery/discovery/adapter';
import { kvPath } from '../client/api/kv-key.js';
import { KeyLock } from './contest/key-lock.js';
import type { ContestTools } from './contest/contest-tools.js';
import { PrefixSemaphore } from './contest/prefix-semaphore.js';

/** Locks and semaphores as those of Consul's Go client and of `consul lock`, on sessions. */
export class ConsulCoordinationStore extends CoordinationStore {
  override readonly name = 'Consul';
  readonly #tools: ContestTools;

  constructor(tools: ContestTools) {
    super();
    this.#tools = tools;
  }

  override lock(key: string, holder: () => LockHolder): LockContest {
    kvPath(key);
    return new KeyLock(key, this.#tools, holder);
  }

  override semaphore(prefix: string, limit: number, holder: () => LockHolder): SemaphoreContest {
    kvPath(prefix);
    return new PrefixSemaphore(prefix, limit, this.#tools, holder);
  }

  override tickKey(election: string, job: string): string {
    return `${election}/ticks/${job}`;
  }

  override read(key: string): Promise<StoredValue | undefined> {
    return this.#tools.kv.get(key, { consistency: 'consistent' });
  }

  override replace(key: string, value: string | undefined, modifyIndex: number): Promise<boolean> {
    const { kv } = this.#tools;
    return value === undefined ? kv.delete(key, { modifyIndex }) : kv.compareAndSet(key, value, modifyIndex);
  }
}
