import type { Clock } from './clock.js';

export interface IdleTickerOptions {
  readonly clock: Clock;
  readonly intervalMs: number;
  /** After this many ticks without `wake()`, and with nothing left to wait for, the timer stops. */
  readonly idleTicks: number;
  /**
   * @param now by the clock
   * @param elapsedMs since the previous tick
   * @returns whether there is something to wait for
   */
  readonly onTick: (now: number, elapsedMs: number) => boolean;
}

/** Ticks while it is used or has something to wait for, so that what is idle costs no timer. */
export class IdleTicker {
  readonly #options: IdleTickerOptions;
  #cancel: (() => void) | undefined;
  #tickedAt = 0;
  #idleTicks = 0;
  #isClosed = false;

  constructor(options: IdleTickerOptions) {
    this.#options = options;
  }

  wake(): void {
    this.#idleTicks = 0;
    if (this.#cancel || this.#isClosed) return;
    this.#tickedAt = this.#options.clock.now();
    this.#schedule();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #schedule(): void {
    const { clock, intervalMs } = this.#options;
    this.#cancel = clock.after(intervalMs, () => this.#tick());
  }

  #tick(): void {
    const { clock, idleTicks, onTick } = this.#options;
    const now = clock.now();
    const elapsedMs = now - this.#tickedAt;
    this.#tickedAt = now;
    const isWaiting = onTick(now, elapsedMs);
    this.#idleTicks++;
    this.#cancel = undefined;
    if (!this.#isClosed && (isWaiting || this.#idleTicks <= idleTicks)) this.#schedule();
  }
}
