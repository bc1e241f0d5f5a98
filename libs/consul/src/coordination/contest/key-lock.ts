import type { GuardedOperation, StoredValue } from '@rookery/discovery';
import type {
  Attempt,
  HeldBy,
  Lease,
  LeaseOptions,
  LockContest,
  LockSession,
} from '@rookery/discovery/adapter';
import type { Observable } from 'rxjs';
import type { TxnOutcome } from '../../client/api/types.js';
import { bytesCodec } from '../../kv/kv-codec.js';
import { toTxnOperation, type KvOperation } from '../../kv/kv-operation.js';
import { KvTransactionError } from '../../kv/kv-transaction-error.js';
import type { KvValue } from '../../kv/kv-value.js';
import { acquireKey, assertFlags, assertIndex } from './acquire-key.js';
import type { ContestTools } from './contest-tools.js';
import { withKeyRight } from './denied-key.js';
import { guardedWrite } from './guarded-write.js';

/** By these flags `consul lock` and the `api.Lock` of Consul's Go client know a lock from other keys. */
export const LOCK_FLAGS = 0x2ddccbc058a50c18n;

export type LockState = KvValue<Uint8Array> | undefined;

/**
 * A lock on one key, as the `api.Lock` of Consul's Go client: both exclude each other. The key is deleted when the lock is released,
 * so that locks for single orders or users leave nothing behind.
 */
export class KeyLock implements LockContest<LockState> {
  readonly store = 'Consul';
  readonly kind = 'lock';
  readonly key: string;
  readonly localLimit = 1;
  readonly #tools: ContestTools;
  readonly #holder: () => object;

  /** @param holder what the key holds, as JSON */
  constructor(key: string, tools: ContestTools, holder: () => object) {
    this.key = key;
    this.#tools = tools;
    this.#holder = holder;
  }

  lockKey(): string {
    return this.key;
  }

  openLease(name: string, options: LeaseOptions): Promise<Lease> {
    // After an expiry the key stays, without a session; its flags tell that it was a lock.
    return this.#tools.openSession(name, 'release', options);
  }

  async read(signal: AbortSignal): Promise<LockState> {
    const reading = this.#tools.kv.get(this.key, { codec: bytesCodec, signal });
    const state = await withKeyRight(this.key, reading);
    // A plain write resets the flags of a key that is held.
    if (state?.session === undefined) assertFlags(state, this.key, LOCK_FLAGS);
    return state;
  }

  watch(): Observable<LockState> {
    return this.#tools.kv.watch(this.key, { codec: bytesCodec });
  }

  isFree(state: LockState): boolean {
    return state?.session === undefined;
  }

  holds(state: LockState, session: string): boolean {
    return state?.session === session;
  }

  async isHeldBy(session: string, signal: AbortSignal): Promise<boolean> {
    const options = { codec: bytesCodec, signal, consistency: 'consistent' } as const;
    return this.holds(await this.#tools.kv.get(this.key, options), session);
  }

  fenceOf(state: LockState): number {
    return assertIndex(state?.modifyIndex);
  }

  async attempt(session: string, state: LockState): Promise<Attempt> {
    const { key } = this;
    const value = JSON.stringify(this.#holder());
    // What was written since is not overwritten.
    const unchanged: KvOperation =
      state === undefined
        ? { type: 'checkNotExists', key }
        : { type: 'checkIndex', key, modifyIndex: state.modifyIndex };
    const lock = { type: 'lock', key, value, session, flags: LOCK_FLAGS } as const;
    return withKeyRight(key, acquireKey(this.#tools.client, [unchanged, lock]));
  }

  async release(session: string, timeoutMs: number): Promise<boolean> {
    const operations: KvOperation[] = [
      { type: 'checkSession', key: this.key, session },
      { type: 'delete', key: this.key },
    ];
    const outcome = await this.#tools.client.txn.commit(operations.map(toTxnOperation), {
      timeout: timeoutMs,
    });
    if (!outcome.committed && !isSessionMismatch(outcome))
      throw new KvTransactionError(operations, outcome.errors);
    return outcome.committed;
  }

  guardedWrite(
    session: string,
    operations: readonly GuardedOperation[],
  ): Promise<readonly StoredValue[] | undefined> {
    return guardedWrite(this.#tools.kv, this.key, session, operations);
  }

  holderOf(state: LockState): HeldBy | undefined {
    return state?.session === undefined ? undefined : { session: state.session, value: state.value };
  }

  async describeSession(id: string): Promise<LockSession | undefined> {
    const { body } = await this.#tools.client.session.info(id);
    return body && { id: body.ID, node: body.Node, name: body.Name, ttl: body.TTL };
  }

  /** Changes what the key holds; the lock stays as it is. */
  async describe(session: string): Promise<void> {
    const value = JSON.stringify(this.#holder());
    // Also a check: another session could not.
    await this.#tools.kv.transaction([
      { type: 'checkSession', key: this.key, session },
      { type: 'lock', key: this.key, value, session, flags: LOCK_FLAGS },
    ]);
  }
}

function isSessionMismatch({ errors }: TxnOutcome): boolean {
  return errors.every(({ What }) => /check session|session check/i.test(What));
}
