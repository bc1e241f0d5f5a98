import { Injectable, Logger, type BeforeApplicationShutdown } from '@nestjs/common';
import { DiscoveryError } from '@rookery/discovery';
import {
  BackgroundWork,
  backoffDelay,
  delay,
  errorMessage,
  isAborted,
  type Lease,
  NamesItsModule,
  shutDownError,
  withTimeout,
  type Clock,
  type Random,
} from '@rookery/discovery/adapter';
import { map, type Observable } from 'rxjs';
import { kvPath } from '../../client/api/kv-key.js';
import type { ConsulClient } from '../../client/consul-client.js';
import type { ConsulKv, KvWatchOptions } from '../../kv/consul-kv.js';
import { jsonCodec, type KvCodec } from '../../kv/kv-codec.js';
import { KvTransactionError } from '../../kv/kv-transaction-error.js';
import { encoded, type KvValue } from '../../kv/kv-value.js';
import { acquireKey, assertFlags } from '../contest/acquire-key.js';
import { openSession, type SessionSpec } from '../session/open-session.js';
import { EphemeralKey } from './ephemeral-key.js';

export interface ConsulSessionEnvironment {
  readonly clock: Clock;
  readonly random: Random;
  readonly spec: () => Promise<SessionSpec>;
}

export interface EphemeralKeyOptions<T> {
  /** Default: JSON. */
  codec?: KvCodec<T>;
}

/** `rookery`, as a number: a key with other flags is not one of these, and is left alone. */
const EPHEMERAL_FLAGS = 0x726f6f6b657279n;
const BACKOFF = { base: 500, cap: 10_000 };
/** A key of a process that was killed stays until its session expires: it is tried again this often. */
const OCCUPIED_MS = 1_000;
/** Whether the keys are still there: one may have been deleted. */
const LOOK_EVERY_MS = 15_000;
const CLOSE_TIMEOUT_MS = 3_000;

/**
 * The session of this app in Consul: keys that live for as long as the process does, such as its membership in a group. They are gone at
 * once when the app is closed, and after once to twice `locks.ttl` when it dies. When Consul loses the session or a key, it is written
 * again. Injectable where `ConsulModule` is imported.
 *
 * @example
 * ```ts
 * const me = await session.put(`workers/${hostname()}`, { queues: ['mail'] });
 * session.watch<Worker>('workers/').subscribe((workers) => show(workers));
 * me.update({ queues: ['mail', 'exports'] });
 * ```
 */
@Injectable()
@NamesItsModule()
export class ConsulSession implements BeforeApplicationShutdown {
  readonly #logger = new Logger('ConsulSession');
  readonly #client: ConsulClient;
  readonly #kv: ConsulKv;
  readonly #environment: ConsulSessionEnvironment;
  readonly #keys = new Map<string, EphemeralKey<unknown>>();
  /** That are to be removed, and may still be there. */
  readonly #leaving = new Set<EphemeralKey<unknown>>();
  readonly #background = new BackgroundWork();
  readonly #closing = new AbortController();
  #lease: Lease | undefined;
  #isRunning = false;
  /** Requests about keys go one after the other, so that a write does not undo a removal. */
  #lastRequest: Promise<unknown> = Promise.resolve();
  /** Why a key could not be written, as it was logged last. */
  readonly #reported = new WeakMap<EphemeralKey<unknown>, string>();
  #isChanged = false;
  #wake: () => void = () => undefined;

  /** @internal */
  constructor(client: ConsulClient, kv: ConsulKv, environment: ConsulSessionEnvironment) {
    this.#client = client;
    this.#kv = kv;
    this.#environment = environment;
  }

  /** The id of the session in Consul; undefined before the first key, and while there is none. */
  get id(): string | undefined {
    return this.#lease?.isAlive === true ? this.#lease.id : undefined;
  }

  /**
   * Writes a key that lives for as long as this process, and writes it again whenever it is lost; while Consul does not respond,
   * in the background. A key that another session holds is waited for, also in the background.
   *
   * @returns when it was written for the first time, or could not be yet: `isWritten` tells
   * @throws DiscoveryError `RK_INVALID_ARGUMENT` for a key that is written already, or a value without a form in the codec;
   *   `RK_LOCK_CONFLICT` when the key is something else
   */
  async put<T>(
    key: string,
    value: T,
    { codec = jsonCodec<T>() }: EphemeralKeyOptions<T> = {},
  ): Promise<EphemeralKey<T>> {
    if (this.#closing.signal.aborted) throw shutDownError();
    kvPath(key);
    assertNew(key, this.#keys.has(key));
    const encode = (each: T): string | Uint8Array => encoded(key, each, codec);
    const ephemeral: EphemeralKey<T> = new EphemeralKey<T>(key, encode(value), {
      encode,
      changed: () => this.#changed(),
      remove: () => this.#remove(ephemeral),
    });
    this.#keys.set(key, ephemeral);
    // It takes the place of one that could not be removed.
    for (const each of this.#leaving) if (each.key === key) this.#leaving.delete(each);
    this.#run();
    this.#changed();
    await ephemeral.firstTry;
    return ephemeral;
  }

  /** The ephemeral keys that begin with a prefix, of all processes: at present, and each change. */
  watch<T = unknown>(prefix: string, options: KvWatchOptions<T> = {}): Observable<readonly KvValue<T>[]> {
    const codec = options.codec ?? jsonCodec<T>();
    return this.#kv
      .watchTree<T>(prefix, { ...options, codec })
      .pipe(map((entries) => entries.filter(({ session }) => session !== undefined)));
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.#closing.abort(shutDownError());
    for (const key of this.#keys.values()) key.fail(shutDownError());
    this.#keys.clear();
    this.#leaving.clear();
    const { clock } = this.#environment;
    const late = (): Error => new Error('it did not end in time');
    // A session that is being opened is closed there.
    const closed = Promise.all([this.#lease?.close(CLOSE_TIMEOUT_MS), this.#background.settled()]);
    await withTimeout(clock, CLOSE_TIMEOUT_MS, closed, late).catch(() => undefined);
  }

  #changed(): void {
    this.#isChanged = true;
    this.#wake();
  }

  #run(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#background.add(this.#maintain(this.#closing.signal));
  }

  /** Never rejects. */
  async #maintain(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#environment;
    let lookedAt = clock.now();
    for (let failures = 0; !signal.aborted;) {
      try {
        const lease = await this.#alive(signal);
        this.#isChanged = false;
        const outcome = await this.#writeAll(lease, signal);
        if (outcome === 'failed') failures++;
        else failures = 0;
        const againMs =
          outcome === 'failed'
            ? backoffDelay(failures, BACKOFF, random)
            : outcome === 'occupied'
              ? OCCUPIED_MS
              : LOOK_EVERY_MS;
        await this.#untilChanged(againMs, lease.lost, signal);
        if (isAborted(lease.lost)) continue;
        // Whatever becomes of the others.
        if (clock.now() - lookedAt < LOOK_EVERY_MS) continue;
        lookedAt = clock.now();
        await this.#look(lease.id, signal);
      } catch (error) {
        if (isAborted(signal)) return;
        for (const key of this.#keys.values()) key.tried(key.value, false);
        if (failures++ === 0) this.#logger.warn(`cannot write its keys, retrying: ${errorMessage(error)}`);
        await delay(clock, backoffDelay(failures, BACKOFF, random), signal).catch(() => undefined);
      }
    }
  }

  async #alive(signal: AbortSignal): Promise<Lease> {
    if (this.#lease?.isAlive === true) return this.#lease;
    for (const key of this.#keys.values()) key.lost();
    // It may live on in Consul, and hold the keys.
    if (this.#lease) await this.#client.session.destroy(this.#lease.id, { signal });
    const { clock, spec } = this.#environment;
    const lease = await openSession(this.#client.session, await spec(), { clock });
    // It may have been opened just when the app was closed.
    if (isAborted(signal)) await lease.close(CLOSE_TIMEOUT_MS);
    this.#lease = lease;
    return lease;
  }

  /** One key that Consul refuses does not keep the others from being written. */
  async #writeAll(lease: Lease, signal: AbortSignal): Promise<'written' | 'occupied' | 'failed'> {
    let worst: 'written' | 'occupied' | 'failed' = 'written';
    for (const key of [...this.#keys.values()]) {
      if (key.isWritten || signal.aborted) continue;
      try {
        const isWritten = await this.#inTurn(() => this.#write(key, lease, signal));
        if (!isWritten && worst === 'written') worst = 'occupied';
      } catch (error) {
        if (isAborted(signal)) break;
        if (error instanceof DiscoveryError && error.code === 'RK_LOCK_CONFLICT') {
          this.#keys.delete(key.key);
          this.#logger.error(errorMessage(error));
          key.fail(error);
          continue;
        }
        worst = 'failed';
        key.tried(key.value, false);
        const reason = errorMessage(error);
        if (this.#reported.get(key) !== reason)
          this.#logger.warn(`cannot write ${key.key}, retrying: ${reason}`);
        this.#reported.set(key, reason);
      }
    }
    for (const key of [...this.#leaving])
      await this.#removeNow(key).catch(() => {
        worst = 'failed';
      });
    return worst;
  }

  async #write(key: EphemeralKey<unknown>, lease: Lease, signal: AbortSignal): Promise<boolean> {
    // It may have been removed while it waited for its turn.
    if (this.#keys.get(key.key) !== key) return true;
    const { value } = key;
    const { id: session } = lease;
    const { body: present } = await this.#client.kv.get(key.key, { signal });
    if (present?.session === undefined) assertFlags(present, key.key, EPHEMERAL_FLAGS);
    const write = { type: 'lock', key: key.key, value, session, flags: EPHEMERAL_FLAGS } as const;
    const { outcome } = await acquireKey(this.#client, [write]);
    if (outcome === 'session-lost') lease.lose('Consul does not know it');
    key.tried(value, outcome === 'acquired');
    return outcome === 'acquired';
  }

  /** Finds the keys that were deleted, or taken. */
  async #look(session: string, signal: AbortSignal): Promise<void> {
    for (const key of [...this.#keys.values()]) {
      if (!key.isWritten) continue;
      const { body } = await this.#client.kv.get(key.key, { signal });
      if (body?.session !== session) key.lost();
    }
  }

  /** Where it fails it is repeated, in the background too. */
  async #remove(key: EphemeralKey<unknown>): Promise<void> {
    if (this.#keys.get(key.key) === key) {
      this.#keys.delete(key.key);
      this.#leaving.add(key);
    }
    // It may have a successor.
    if (!this.#leaving.has(key)) return;
    await this.#removeNow(key).catch((error: unknown) => {
      this.#changed();
      throw error;
    });
  }

  async #removeNow(key: EphemeralKey<unknown>): Promise<void> {
    const session = this.id;
    // Its session has ended, and the key with it.
    if (session === undefined) {
      this.#leaving.delete(key);
      return;
    }
    const remove = this.#inTurn(() =>
      this.#kv.transaction([
        { type: 'checkSession', key: key.key, session },
        { type: 'delete', key: key.key },
      ]),
    );
    await remove.catch((error: unknown) => {
      // It is not ours, or not there.
      if (!(error instanceof KvTransactionError) || error.code !== 'RK_TRANSACTION_CONFLICT') throw error;
    });
    this.#leaving.delete(key);
  }

  #inTurn<T>(request: () => Promise<T>): Promise<T> {
    const result = this.#lastRequest.then(request);
    this.#lastRequest = result.catch(() => undefined);
    return result;
  }

  #untilChanged(maxMs: number, lost: AbortSignal, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        cancel();
        lost.removeEventListener('abort', end);
        signal.removeEventListener('abort', end);
        this.#wake = () => undefined;
        resolve();
      };
      const cancel = this.#environment.clock.after(maxMs, end);
      this.#wake = end;
      lost.addEventListener('abort', end, { once: true });
      signal.addEventListener('abort', end, { once: true });
      if (lost.aborted || signal.aborted || this.#isChanged) end();
    });
  }
}

function assertNew(key: string, isKnown: boolean): void {
  if (key !== '' && !isKnown) return;
  const what = key === '' ? 'it is empty' : 'this app has written it already';
  throw new DiscoveryError('RK_INVALID_ARGUMENT', `ephemeral key ${JSON.stringify(key)}: ${what}`, {
    hint: "Use a key for each process, such as 'workers/host-1'; update() changes its value",
  });
}
