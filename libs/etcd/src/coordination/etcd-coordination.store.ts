import { DiscoveryError, type StoredValue } from '@rookery/discovery';
import {
  CoordinationStore,
  type LockContest,
  type LockHolder,
  type SemaphoreContest,
} from '@rookery/discovery/adapter';
import { toStoredValue } from './guarded-write.js';
import { LineContest, type LineContestTools } from './line-contest.js';

/** Locks and semaphores on leases, as those of etcd's own client and of `etcdctl`. */
export class EtcdCoordinationStore extends CoordinationStore {
  override readonly name = 'etcd';
  readonly #tools: LineContestTools;

  constructor(tools: LineContestTools) {
    super();
    this.#tools = tools;
  }

  override lock(key: string, holder: () => LockHolder): LockContest {
    return new LineContest(assertName(key), undefined, this.#tools, holder);
  }

  override semaphore(prefix: string, limit: number, holder: () => LockHolder): SemaphoreContest {
    return new LineContest(assertName(prefix.replace(/\/+$/, '')), limit, this.#tools, holder);
  }

  /** Not below the election, where `etcdctl elect` would take it for a candidate. */
  override tickKey(election: string, job: string): string {
    return `${election}.ticks/${job}`;
  }

  override async read(key: string): Promise<StoredValue | undefined> {
    const found = await this.#tools.client.kv.get(key);
    return found && toStoredValue(found);
  }

  override async replace(key: string, value: string | undefined, modifyIndex: number): Promise<boolean> {
    const { succeeded } = await this.#tools.client.kv.transaction({
      if: [{ key, target: 'modRevision', to: BigInt(modifyIndex) }],
      then: [value === undefined ? { delete: key } : { put: key, value }],
    });
    return succeeded;
  }

  override close(): void {
    this.#tools.watches.close();
  }
}

/** What `etcdctl lock` would take for another name. */
function assertName(name: string): string {
  if (!name.endsWith('/')) return name;
  throw new DiscoveryError('RK_INVALID_ARGUMENT', `key: ${JSON.stringify(name)} ends with a slash`, {
    hint: "Use a key such as 'locks/nightly'",
  });
}
