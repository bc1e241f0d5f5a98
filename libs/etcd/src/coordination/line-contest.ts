import { DiscoveryError, type GuardedOperation, type StoredValue } from '@rookery/discovery';
import {
  type Attempt,
  type HeldBy,
  keyOf,
  type Lease,
  type LeaseOptions,
  type LockContest,
  type LockSession,
  type SemaphoreContest,
  type SharedWatches,
} from '@rookery/discovery/adapter';
import { map, type Observable } from 'rxjs';
import type { EtcdClient } from '../client/etcd-client.js';
import { EtcdError } from '../client/etcd-error.js';
import { watchTree, type EtcdTree } from '../client/watch/watch-tree.js';
import { leaseId, openLease } from './etcd-lease.js';
import { guardedWrite, isPut } from './guarded-write.js';
import { assertUsable, isInLine, toWaitingLine, type Place, type WaitingLine } from './waiting-line.js';

export interface LineContestTools {
  readonly client: EtcdClient;
  readonly watches: SharedWatches;
  readonly ttlMs: number;
}

/**
 * A lock or a semaphore in etcd, with the keys of etcd's own client: `<key>/<lease>`, and the process whose key has been there longest holds it. So `etcdctl lock`
 * and `etcdctl elect` stand in the same line. The fence is the revision at which the key of the holder was created.
 */
export class LineContest implements LockContest<WaitingLine>, SemaphoreContest<WaitingLine> {
  readonly store = 'etcd';
  readonly kind: 'lock' | 'semaphore';
  readonly key: string;
  readonly limit: number;
  readonly #tools: LineContestTools;
  readonly #holder: () => object;
  readonly #prefix: string;

  /**
   * @param limit of holders; undefined: a lock
   * @param holder what the key of this process has, as JSON
   */
  constructor(key: string, limit: number | undefined, tools: LineContestTools, holder: () => object) {
    this.key = key;
    this.kind = limit === undefined ? 'lock' : 'semaphore';
    this.limit = limit ?? 1;
    this.#tools = tools;
    this.#holder = () => ({ ...holder(), ...(limit === undefined ? {} : { limit }) });
    this.#prefix = `${key}/`;
  }

  get localLimit(): number {
    return this.limit;
  }

  lockKey(session: string): string {
    return `${this.#prefix}${session}`;
  }

  openLease(_name: string, options: LeaseOptions): Promise<Lease> {
    return openLease(this.#tools.client.lease, this.#tools.ttlMs, options);
  }

  async read(signal: AbortSignal): Promise<WaitingLine> {
    const { values } = await this.#tools.client.kv.range({ prefix: this.#prefix }, { signal });
    return this.#usable(toWaitingLine(this.#prefix, values));
  }

  watch(): Observable<WaitingLine> {
    const { client, watches } = this.#tools;
    return watches
      .watch<EtcdTree>(this.#prefix, this.key, (signal) => watchTree(client, this.#prefix, signal))
      .pipe(map(({ values }) => toWaitingLine(this.#prefix, values)));
  }

  isFree(line: WaitingLine): boolean {
    return line.length < this.limit;
  }

  isInLine(line: WaitingLine, session: string): boolean {
    return this.#placeOf(line, session) !== undefined;
  }

  holds(line: WaitingLine, session: string): boolean {
    return this.#placeOf(line.slice(0, this.limit), session) !== undefined;
  }

  async isHeldBy(session: string, signal: AbortSignal): Promise<boolean> {
    return this.holds(await this.read(signal), session);
  }

  fenceOf(line: WaitingLine, session: string): number {
    const place = this.#placeOf(line, session);
    if (place) return Number(place.createRevision);
    throw new EtcdError('RK_REGISTRY_BAD_RESPONSE', `${this.key}: the lease ${session} has no key`);
  }

  async attempt(session: string): Promise<Attempt> {
    const key = this.lockKey(session);
    const look = { get: { prefix: this.#prefix } } as const;
    let line: WaitingLine;
    try {
      const { results } = await this.#tools.client.kv.transaction({
        if: [{ key, target: 'createRevision', to: 0n }],
        then: [{ put: key, value: this.#value(), lease: leaseId(session) }, look],
        else: [look],
      });
      line = this.#usable(toWaitingLine(this.#prefix, results.at(-1) ?? []));
    } catch (error) {
      if (error instanceof DiscoveryError && error.code === 'RK_NOT_FOUND')
        return { outcome: 'session-lost' };
      throw error;
    }
    return this.holds(line, session)
      ? { outcome: 'acquired', fence: this.fenceOf(line, session) }
      : { outcome: 'occupied' };
  }

  async release(session: string, timeoutMs: number): Promise<boolean> {
    const key = this.lockKey(session);
    const { succeeded } = await this.#tools.client.kv.transaction(
      { if: [{ key, target: 'lease', to: leaseId(session) }], then: [{ delete: key }] },
      { timeoutMs },
    );
    return succeeded;
  }

  /** @throws DiscoveryError `RK_INVALID_ARGUMENT` for a key in the line itself: it has no lease, and would stay in it for ever */
  async guardedWrite(
    session: string,
    operations: readonly GuardedOperation[],
  ): Promise<readonly StoredValue[] | undefined> {
    const inLine = operations.find((operation) => isPut(operation) && isInLine(this.#prefix, operation.key));
    if (inLine) {
      throw new DiscoveryError(
        'RK_INVALID_ARGUMENT',
        `guardedWrite: ${keyOf(inLine)} is where ${this.key} has its holders`,
        {
          hint: `Write another key, such as one that does not begin with ${this.#prefix}`,
        },
      );
    }
    const guard = { key: this.lockKey(session), lease: leaseId(session) };
    return guardedWrite(this.#tools.client.kv, guard, operations);
  }

  holderOf(line: WaitingLine): HeldBy | undefined {
    const [first] = line;
    return first && { session: first.lease, value: first.value };
  }

  async describeSession(id: string): Promise<LockSession | undefined> {
    const lease = await this.#tools.client.lease.timeToLive(leaseId(id));
    return lease && { id, ttl: `${lease.grantedTtl}s` };
  }

  async describe(session: string): Promise<void> {
    const key = this.lockKey(session);
    const lease = leaseId(session);
    await this.#tools.client.kv.transaction({
      if: [{ key, target: 'lease', to: lease }],
      then: [{ put: key, value: this.#value(), lease }],
    });
  }

  #value(): string {
    return JSON.stringify(this.#holder());
  }

  #placeOf(line: WaitingLine, session: string): Place | undefined {
    const key = this.lockKey(session);
    return line.find((place) => place.key === key);
  }

  #usable(line: WaitingLine): WaitingLine {
    assertUsable(line, this.key, this.kind === 'lock' ? undefined : this.limit);
    return line;
  }
}
