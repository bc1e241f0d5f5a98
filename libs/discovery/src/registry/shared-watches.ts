import { Logger } from '@nestjs/common';
import { Observable, ReplaySubject, share } from 'rxjs';
import { errorMessage } from '../errors/error-message.js';
import type { Clock, Random } from '../timing/clock.js';
import { ReconnectSignal } from './reconnect-signal.js';
import { WatchLoop } from './watch-loop.js';

/** Longer than the few seconds in which watches take turns; a watch that has a connection to itself waits longer. */
const SHORT_WAIT_MS = 5_000;
const WAIT_MS = 60_000;

export interface SharedWatchesOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** The context of its messages in the log. */
  readonly logger: string;
  /** How many requests can wait at the same time. Default: any number, since updates are pushed, and none needs a request. */
  readonly limit?: number;
}

/** Starts a new iterator; it ends at the first error. */
export type StartWatch<T> = (signal: AbortSignal, waitMs: () => number) => AsyncIterable<T>;

/** Runs watches: one for all subscribers of the same thing, again after every error, until the last subscriber leaves. */
export class SharedWatches {
  readonly #options: SharedWatchesOptions;
  readonly #logger: Logger;
  readonly #reconnectSignal = new ReconnectSignal();
  readonly #shared = new Map<string, Observable<unknown>>();
  readonly #running = new Set<AbortController>();
  #isClosed = false;

  constructor(options: SharedWatchesOptions) {
    this.#options = options;
    this.#logger = new Logger(options.logger);
  }

  /**
   * @param id watches with the same one are one
   * @param name what is watched, for messages
   */
  watch<T>(id: string, name: string, start: StartWatch<T>): Observable<T> {
    let shared = this.#shared.get(id) as Observable<T> | undefined;
    if (!shared) {
      shared = new Observable<T>((subscriber) => {
        const stop = this.#run(
          name,
          start,
          (value) => subscriber.next(value),
          () => subscriber.complete(),
        );
        return () => {
          this.#shared.delete(id);
          stop();
        };
      }).pipe(share({ connector: () => new ReplaySubject<T>(1) }));
      this.#shared.set(id, shared);
    }
    return shared;
  }

  /** Ends every watch, and completes their observables. */
  close(): void {
    this.#isClosed = true;
    for (const watch of this.#running) watch.abort(new Error('the app is closed'));
  }

  #run<T>(name: string, start: StartWatch<T>, onUpdate: (value: T) => void, onEnd: () => void): () => void {
    const { clock, random, limit } = this.#options;
    // Watches beyond the limit take turns, so that none may keep a connection for long.
    const waitMs = (): number => (this.#running.size > (limit ?? Infinity) ? SHORT_WAIT_MS : WAIT_MS);
    let failures = 0;
    const loop = new WatchLoop<T>({
      clock,
      random,
      reconnectSignal: this.#reconnectSignal,
      isPushed: limit === undefined,
      watch: (signal) => start(signal, waitMs),
      onUpdate: (value) => {
        if (failures > 0) {
          failures = 0;
          this.#reconnectSignal.reconnected();
          this.#logger.log(`watching ${name} again`);
        }
        onUpdate(value);
      },
      onFailure: (error) => {
        if (failures++ === 0) this.#logger.warn(`cannot watch ${name}, retrying: ${errorMessage(error)}`);
        return Promise.resolve(failures);
      },
    });
    const stopping = new AbortController();
    if (this.#isClosed) stopping.abort(new Error('the app is closed'));
    this.#running.add(stopping);
    void loop.run(stopping.signal).finally(() => {
      this.#running.delete(stopping);
      onEnd();
    });
    return () => stopping.abort(new Error('no subscriber is left'));
  }
}
