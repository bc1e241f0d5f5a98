import { Injectable, Logger, type BeforeApplicationShutdown } from '@nestjs/common';
import { DiscoveryError } from '@rookery/discovery';
import {
  backoffDelay,
  delay,
  errorMessage,
  isAborted,
  isRetryable,
  NamesItsModule,
  shutDownError,
  withTimeout,
  type Clock,
  type Random,
} from '@rookery/discovery/adapter';
import { map, type Observable } from 'rxjs';
import type { SessionApi } from '../../client/api/session.api.js';
import { kvPath } from '../../client/api/kv-key.js';
import type { ConsulClient } from '../../client/consul-client.js';
import type { ConsulKv, KvWatchOptions } from '../../kv/consul-kv.js';
import { jsonCodec, type KvCodec } from '../../kv/kv-codec.js';
import { encoded, type KvValue } from '../../kv/kv-value.js';
import { acquireKey } from '../contention/acquire-key.js';
import { BackgroundWork } from '../contention/background-work.js';
import { SessionLease, type SessionSpec } from '../session/session-lease.js';
import { EphemeralKey } from './ephemeral-key.js';

export interface ConsulSessionEnvironment {
  readonly clock: Clock;
  readonly random: Random;
  readonly spec: (signal: AbortSignal) => Promise<SessionSpec>;
}

export interface EphemeralKeyOptions<T> {
  /** Default: JSON. */
  codec?: KvCodec<T>;
}

const BACKOFF = { base: 500, cap: 10_000 };
/** A key of a process that was killed stays until its session expires: it is tried again this often. */
const OCCUPIED_MS = 1_000;
const CLOSE_TIMEOUT_MS = 3_000;

/**
 * The session of this app in Consul: keys that live for as long as the process does, such as its membership in a group. They are gone at
 * once when the app is closed, and after once to twice `locks.ttl` when it dies. When Consul loses the session, the app gets another one, and its
 * keys are written again. Injectable where `ConsulModule` is imported.
 *
 * @example
 * ```ts
 * const me = await session.put(`workers/${hostname()}`, { queues: ['mail'] });
 * session.watch<Worker>('workers/').subscribe((workers) => this.share(workers));
 * await me.update({ queues: ['mail', 'exports'] });
 * ```
 */
@Injectable()
@NamesItsModule()
export class ConsulSession implements BeforeApplicationShutdown {
  readonly #logger = new Logger('ConsulSession');
  readonly #client: ConsulClient;
  readonly #sessions: SessionApi;
  readonly #kv: ConsulKv;
  readonly #environment: ConsulSessionEnvironment;
  readonly #keys = new Map<string, EphemeralKey<unknown>>();
  readonly #background = new BackgroundWork();
  readonly #closing = new AbortController();
  #lease: SessionLease | undefined;
  #isRunning = false;
  #wake: () => void = () => undefined;

  /** @internal */
  constructor(client: ConsulClient, kv: ConsulKv, environment: ConsulSessionEnvironment) {
    this.#client = client;
    this.#sessions = client.session;
    this.#kv = kv;
    this.#environment = environment;
  }

  /** The id of the session in Consul; undefined before the first key, and while there is none. */
  get id(): string | undefined {
    return this.#lease?.isAlive === true ? this.#lease.id : undefined;
  }

  /**
   * Writes a key that lives for as long as this process, and writes it again whenever it is lost; while Consul does not respond,
   * in the background. A key that another session holds is waited for.
   *
   * @returns when it was written for the first time, or could not be: `isWritten` tells
   * @throws DiscoveryError `RK_INVALID_ARGUMENT` for a key that is written already, or a value without a form in the codec
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
    const ephemeral = new EphemeralKey<T>(key, encode(value), {
      encode,
      changed: () => this.#wake(),
      remove: () => this.#remove(key),
    });
    this.#keys.set(key, ephemeral);
    this.#run();
    this.#wake();
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
    const lease = this.#lease;
    this.#keys.clear();
    // With the behavior `delete` the keys end with the session.
    if (lease) await lease.close(CLOSE_TIMEOUT_MS);
    const late = (): Error => new Error('it did not end in time');
    await withTimeout(this.#environment.clock, CLOSE_TIMEOUT_MS, this.#background.settled(), late).catch(
      () => undefined,
    );
  }

  #run(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#background.add(this.#maintain(this.#closing.signal));
  }

  /** Never rejects. */
  async #maintain(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#environment;
    for (let failures = 0; !signal.aborted;) {
      try {
        const lease = await this.#alive(signal);
        const waits = await this.#writeAll(lease.id);
        if (failures > 0) this.#logger.log('its keys are written again');
        failures = 0;
        await this.#untilChanged(waits ? OCCUPIED_MS : Infinity, lease.lost, signal);
      } catch (error) {
        if (isAborted(signal)) return;
        for (const key of this.#keys.values()) key.tried(false);
        if (failures++ === 0 || !isRetryable(error))
          this.#logger.warn(`cannot write its keys, retrying: ${errorMessage(error)}`);
        await delay(clock, backoffDelay(failures, BACKOFF, random), signal).catch(() => undefined);
      }
    }
  }

  async #alive(signal: AbortSignal): Promise<SessionLease> {
    if (this.#lease?.isAlive !== true) {
      for (const key of this.#keys.values()) key.lost();
      const { clock, spec } = this.#environment;
      const lease = await SessionLease.open(this.#sessions, await spec(signal), { clock }, signal);
      // It may have been opened just when the app was closed.
      if (isAborted(signal)) await lease.close(CLOSE_TIMEOUT_MS);
      this.#lease = lease;
    }
    return this.#lease;
  }

  /** @returns whether one of them is held by another session */
  async #writeAll(session: string): Promise<boolean> {
    let waits = false;
    for (const key of this.#keys.values()) {
      if (key.isWritten) continue;
      const value = key.begin();
      const { outcome } = await acquireKey(this.#client, [{ type: 'lock', key: key.key, value, session }]);
      if (outcome === 'session-lost') this.#lease?.lose('Consul does not know it');
      key.tried(outcome === 'acquired');
      if (outcome !== 'acquired') waits = true;
    }
    return waits;
  }

  async #remove(key: string): Promise<void> {
    this.#keys.delete(key);
    const session = this.id;
    if (session === undefined) return;
    await this.#kv
      .transaction([
        { type: 'checkSession', key, session },
        { type: 'delete', key },
      ])
      .catch((error: unknown) => {
        if (isRetryable(error)) throw error;
      });
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
      const cancel = Number.isFinite(maxMs) ? this.#environment.clock.after(maxMs, end) : () => undefined;
      this.#wake = end;
      lost.addEventListener('abort', end, { once: true });
      signal.addEventListener('abort', end, { once: true });
      const isPending = [...this.#keys.values()].some(({ isWritten, isTried }) => !isWritten && !isTried);
      if (lost.aborted || signal.aborted || isPending) end();
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
