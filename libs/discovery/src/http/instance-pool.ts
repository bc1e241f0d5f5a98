import { Client, Pool, type buildConnector, type Dispatcher } from 'undici';
import { limitHandshakes, MAX_HANDSHAKES, NO_ANSWER } from './handshake-limit.js';

/** A request that may wait for its connection. */
export interface SentLater extends Dispatcher.DispatchHandler {
  /** Ends it: it got no connection. */
  failWith(error: Error): void;
}

type Waiting = readonly [options: Dispatcher.DispatchOptions, handler: SentLater];

/**
 * The connections to one instance over TLS. In a pool of undici a request that finds none free begins one and stays with it, also when others are free long before:
 * after a burst the last of many handshakes would decide how long a call takes. Here a request waits for whichever is free first, while a few handshakes are under way.
 */
export class InstancePool {
  readonly pool: Pool;
  readonly #waiting: Waiting[] = [];
  #isFlushing = false;

  constructor(origin: string, connections: number, connect: buildConnector.connector) {
    const flush = (): void => this.#flushSoon();
    this.pool = new Pool(origin, {
      connections,
      connect: limitHandshakes(connect),
      factory: (url, options: Client.Options) => new Client(url, options).on('drain', flush),
    });
    this.pool.on('connect', flush).on('disconnect', flush);
    this.pool.on('connectionError', (_origin, _targets, error: NodeJS.ErrnoException) => {
      // It is no better for those that wait: they fail with the first, so that they go elsewhere.
      if (error.code === NO_ANSWER && this.pool.stats.connected === 0)
        for (const [, handler] of this.#waiting.splice(0)) handler.failWith(error);
      else flush();
    });
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: SentLater): void {
    if (this.#waiting.length > 0 || this.#areEnoughBeingMade) this.#waiting.push([options, handler]);
    else this.pool.dispatch(options, handler);
  }

  /** Ends when all requests have their responses, also those that wait. */
  close(): Promise<void> {
    this.#dispatchAll();
    return this.pool.close();
  }

  destroy(): Promise<void> {
    this.#dispatchAll();
    return this.pool.destroy();
  }

  get #areEnoughBeingMade(): boolean {
    // Each is counted when it is asked for.
    const { stats } = this.pool;
    return stats.free === 0 && stats.pending >= MAX_HANDSHAKES;
  }

  /** The pool knows what has happened to its connections after they have told it. */
  #flushSoon(): void {
    if (this.#isFlushing || this.#waiting.length === 0) return;
    this.#isFlushing = true;
    queueMicrotask(() => {
      this.#isFlushing = false;
      while (!this.#areEnoughBeingMade) {
        const next = this.#waiting.shift();
        if (!next) return;
        this.pool.dispatch(...next);
      }
    });
  }

  #dispatchAll(): void {
    for (const waiting of this.#waiting.splice(0)) this.pool.dispatch(...waiting);
  }
}
