import { DiscoveryError, type GuardedOperation, type StoredValue } from '@rookery/discovery';
import type { Attempt, Lease, LeaseOptions, SemaphoreContest } from '@rookery/discovery/adapter';
import type { Observable } from 'rxjs';
import { ConsulError } from '../../client/consul-error.js';
import { bytesCodec } from '../../kv/kv-codec.js';
import { KvTransactionError } from '../../kv/kv-transaction-error.js';
import type { KvValue } from '../../kv/kv-value.js';
import { acquireKey, assertFlags, assertIndex } from './acquire-key.js';
import type { ContestTools } from './contest-tools.js';
import { withKeyRight } from './denied-key.js';
import { guardedWrite } from './guarded-write.js';
import { decodeHolders, encodeHolders, liveHolders } from './semaphore-holders.js';

/** By these flags `consul lock -n` and the `api.Semaphore` of Consul's Go client know a semaphore from other keys. */
export const SEMAPHORE_FLAGS = 0xe0f69a2baa414de0n;

type Entries = readonly KvValue<Uint8Array>[];

const MAX_CAS_ATTEMPTS = 20;

/**
 * A semaphore below a prefix, with the layout of the `api.Semaphore` of Consul's Go client: each contender holds the key
 * `<prefix>/<session>`, and the key `<prefix>/.lock` lists the sessions of the holders.
 */
export class PrefixSemaphore implements SemaphoreContest<Entries> {
  readonly store = 'Consul';
  readonly kind = 'semaphore';
  readonly key: string;
  readonly limit: number;
  readonly #tools: ContestTools;
  readonly #holder: () => object;

  constructor(prefix: string, limit: number, tools: ContestTools, holder: () => object) {
    this.key = prefix.replace(/\/+$/, '');
    this.limit = limit;
    this.#tools = tools;
    this.#holder = holder;
  }

  get localLimit(): number {
    return this.limit;
  }

  lockKey(session: string): string {
    return `${this.key}/${session}`;
  }

  openLease(name: string, options: LeaseOptions): Promise<Lease> {
    // The key of a contender is of no use after its session.
    return this.#tools.openSession(name, 'delete', options);
  }

  async read(signal: AbortSignal): Promise<Entries> {
    const entries = await this.#tools.kv.list(`${this.key}/`, { codec: bytesCodec, signal });
    this.#assertLimit(entries);
    return entries;
  }

  watch(): Observable<Entries> {
    return this.#tools.kv.watchTree(`${this.key}/`, { codec: bytesCodec });
  }

  isFree(entries: Entries): boolean {
    const holders = this.#holdersIfReadable(entries);
    // Of what is no semaphore an attempt tells, with its error.
    return holders === undefined || holders.length < this.limit;
  }

  holds(entries: Entries, session: string): boolean {
    return this.#holdersIfReadable(entries)?.includes(session) === true;
  }

  fenceOf(entries: Entries, session: string): number {
    return assertIndex(entries.find(({ key }) => key === this.lockKey(session))?.modifyIndex);
  }

  async isHeldBy(session: string, signal: AbortSignal): Promise<boolean> {
    const options = { codec: bytesCodec, signal, consistency: 'consistent' } as const;
    return this.holds(await this.#tools.kv.list(`${this.key}/`, options), session);
  }

  async attempt(session: string): Promise<Attempt> {
    const value = JSON.stringify(this.#holder());
    const contender = {
      type: 'lock',
      key: this.lockKey(session),
      value,
      session,
      flags: SEMAPHORE_FLAGS,
    } as const;
    const entered = await withKeyRight(`${this.key}/`, acquireKey(this.#tools.client, [contender]));
    if (entered.outcome !== 'acquired') return entered;
    const entries = await this.#tools.kv.list(`${this.key}/`, {
      codec: bytesCodec,
      consistency: 'consistent',
    });
    this.#assertLimit(entries);
    const holders = this.#holders(entries);
    // After an attempt whose outcome was unknown.
    if (holders.includes(session)) return entered;
    if (holders.length >= this.limit) return { outcome: 'occupied' };
    return this.#write(entries, [...holders, session]);
  }

  async release(session: string, timeoutMs: number): Promise<boolean> {
    const was = await this.#leave(session, timeoutMs);
    await this.#tools.client.kv.delete(this.lockKey(session), { timeout: timeoutMs });
    return was;
  }

  guardedWrite(
    session: string,
    operations: readonly GuardedOperation[],
  ): Promise<readonly StoredValue[] | undefined> {
    return guardedWrite(this.#tools.kv, this.lockKey(session), session, operations);
  }

  /** @returns whether it was one of the holders */
  async #leave(session: string, timeout: number): Promise<boolean> {
    for (let attempt = 0; attempt < MAX_CAS_ATTEMPTS; attempt++) {
      const { body } = await this.#tools.client.kv.get(this.#lockKey, { consistency: 'consistent', timeout });
      const state = body && decodeHolders(this.#lockKey, body.value, this.limit);
      if (!body || !state?.holders.includes(session)) return false;
      const cas = body.modifyIndex;
      const holders = state.holders.filter((each) => each !== session);
      const value = encodeHolders({ ...state, holders });
      // Nothing is left behind, and the next ones may agree on another limit.
      const isWritten = await (holders.length === 0
        ? this.#tools.client.kv.delete(this.#lockKey, { cas, timeout })
        : this.#tools.client.kv.put(this.#lockKey, value, { cas, flags: SEMAPHORE_FLAGS, timeout }));
      if (isWritten) return true;
    }
    const message = `${this.#lockKey}: other writers were faster ${MAX_CAS_ATTEMPTS} times`;
    throw new ConsulError('RK_REGISTRY_ERROR', message);
  }

  get #lockKey(): string {
    return `${this.key}/.lock`;
  }

  #lockEntry(entries: Entries): KvValue<Uint8Array> | undefined {
    return entries.find(({ key }) => key === this.#lockKey);
  }

  /** Undefined: it is something else. */
  #holdersIfReadable(entries: Entries): readonly string[] | undefined {
    try {
      return this.#holders(entries);
    } catch {
      return undefined;
    }
  }

  #holders(entries: Entries): readonly string[] {
    const alive = new Set(entries.flatMap(({ session }) => session ?? []));
    return liveHolders(decodeHolders(this.#lockKey, this.#lockEntry(entries)?.value, this.limit), alive);
  }

  async #write(entries: Entries, holders: readonly string[]): Promise<Attempt> {
    const value = encodeHolders({ limit: this.limit, holders });
    const modifyIndex = this.#lockEntry(entries)?.modifyIndex ?? 0;
    const written = { type: 'compareAndSet', key: this.#lockKey, value, modifyIndex } as const;
    try {
      const [result] = await this.#tools.kv.transaction([{ ...written, flags: SEMAPHORE_FLAGS }]);
      return { outcome: 'acquired', fence: assertIndex(result?.modifyIndex) };
    } catch (error) {
      if (error instanceof KvTransactionError && error.code === 'RK_TRANSACTION_CONFLICT')
        return { outcome: 'raced' };
      throw error;
    }
  }

  #assertLimit(entries: Entries): void {
    const lock = this.#lockEntry(entries);
    assertFlags(lock, this.#lockKey, SEMAPHORE_FLAGS);
    const { limit } = decodeHolders(this.#lockKey, lock?.value, this.limit);
    if (limit === this.limit || this.#holders(entries).length === 0) return;
    throw new DiscoveryError(
      'RK_LOCK_CONFLICT',
      `${this.key} is a semaphore of ${limit}, not of ${this.limit}`,
      {
        hint: 'Every process has to use the same limit; it can be changed while there are no holders',
      },
    );
  }
}
