import { isInTrouble } from '../errors/discovery-error.js';
import { backoffDelay, retryAfterDelay } from '../timing/backoff.js';
import { delay, isAborted, type Clock, type Random } from '../timing/clock.js';
import { delayUntil } from '../timing/delay-until.js';
import { withScopedSignal } from '../timing/scoped-signal.js';
import { TokenBucket } from '../timing/token-bucket.js';
import type { ReconnectSignal } from './reconnect-signal.js';

export interface WatchLoopOptions<T> {
  readonly clock: Clock;
  readonly random: Random;
  readonly reconnectSignal: ReconnectSignal;
  /** Starts a new iterator of complete states, such as the list of a service's instances. */
  readonly watch: (signal: AbortSignal) => AsyncIterable<T>;
  readonly onUpdate: (update: T) => void;
  /** Updates are pushed, and cost no request: each is handed on at once. Default: false, and they are rate-limited. */
  readonly isPushed?: boolean;
  /** @returns the number of consecutive failures, for the backoff */
  readonly onFailure: (error: unknown) => Promise<number>;
  /** Over how long its return is spread when the servers of the registry are in trouble, in milliseconds. Default: 4 s. */
  readonly spreadMs?: () => number;
}

/**
 * The first delay is up to four seconds: watches that fail together (every watch of a datacenter when its leader dies) must
 * not come back together.
 */
const SPREAD_MS = 4_000;
const MAX_BACKOFF_MS = 30_000;
/** Spreads the watches that a reconnect signal wakes, for the same reason. */
const RECONNECT_SPREAD_MS = 2_000;
/** Consul's documentation asks clients to rate-limit blocking queries, since a busy service answers at once. */
const MIN_INTERVAL_MS = 100;
const RATE_LIMIT = { capacity: 5, refillEvery: 500 };

/** Runs a watch until its signal aborts: rate-limited while it works, with backoff after an error, each time from a new iterator. */
export class WatchLoop<T> {
  readonly #options: WatchLoopOptions<T>;
  readonly #rateLimit: TokenBucket;
  #updates = 0;
  #restartRequested = false;
  #endWatch: (reason: Error) => void = () => undefined;

  constructor(options: WatchLoopOptions<T>) {
    this.#options = options;
    this.#rateLimit = new TokenBucket(options.clock, RATE_LIMIT);
  }

  /** The number of updates that were received. */
  get updates(): number {
    return this.#updates;
  }

  /** Replaces the running iterator by a new one, which starts without a position. */
  restart(): void {
    this.#restartRequested = true;
    this.#endWatch(new Error('the watch is restarted'));
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const error = await this.#watch(signal);
      if (isAborted(signal)) return;
      if (this.#restartRequested) {
        this.#restartRequested = false;
        await this.#throttle(signal).catch(() => undefined);
        continue;
      }
      const failures = await this.#options.onFailure(error);
      await this.#backOff(error, failures, signal).catch(() => undefined);
    }
  }

  /** @returns why the watch ended */
  async #watch(signal: AbortSignal): Promise<unknown> {
    const { watch, onUpdate, isPushed } = this.#options;
    try {
      await withScopedSignal(signal, async (watching, end) => {
        this.#endWatch = end;
        for await (const update of watch(watching)) {
          if (watching.aborted) break;
          this.#updates++;
          onUpdate(update);
          if (isPushed !== true) await this.#throttle(watching);
        }
      });
      return new Error('the watch ended');
    } catch (error) {
      return error;
    }
  }

  #throttle(signal: AbortSignal): Promise<void> {
    return delay(this.#options.clock, Math.max(MIN_INTERVAL_MS, this.#rateLimit.take()), signal);
  }

  async #backOff(error: unknown, failures: number, signal: AbortSignal): Promise<void> {
    const { clock, random, reconnectSignal, spreadMs } = this.#options;
    const ownSpreadMs = isInTrouble(error) ? (spreadMs?.() ?? 0) : 0;
    const base = Math.max(SPREAD_MS, ownSpreadMs);
    const retryAfterMs = retryAfterDelay(error, random);
    const backoffMs = backoffDelay(failures, { base, cap: MAX_BACKOFF_MS }, random);
    // A registry that sent Retry-After is left alone, even when another user of it has reconnected.
    if (retryAfterMs !== undefined) return delay(clock, Math.max(retryAfterMs, backoffMs), signal);
    // Nor are servers in trouble: all apps of a datacenter find at the same time that they are well again.
    if (ownSpreadMs > SPREAD_MS) return delay(clock, backoffMs, signal);
    const isReconnected = await delayUntil(clock, backoffMs, signal, reconnectSignal.reconnected$);
    if (isReconnected) await delay(clock, RECONNECT_SPREAD_MS * random(), signal);
  }
}
