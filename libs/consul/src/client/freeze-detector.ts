import { delay, type Clock } from '@rookery/discovery/adapter';

export interface FreezeDetectorOptions {
  readonly clock: Clock;
  /** Whether the agent answers within the given time; true when the signal aborts. */
  readonly answers: (withinMs: number, signal: AbortSignal) => Promise<boolean>;
  /** Identifies the agent that is pinged. */
  readonly current: () => number;
  readonly onFrozen: () => void;
}

const INTERVAL_MS = 1_000;
const TIMEOUT_MS = 1_000;

/**
 * Pings an agent while blocking queries wait for it: a frozen one accepts connections and never answers, which a blocking query
 * would notice only at its own deadline, after a minute. Twice in a row, since this process may have been busy itself.
 */
export class FreezeDetector {
  readonly #options: FreezeDetectorOptions;
  #waiting = 0;
  #running: AbortController | undefined;

  constructor(options: FreezeDetectorOptions) {
    this.#options = options;
  }

  async during<T>(blockingQuery: () => Promise<T>): Promise<T> {
    this.#waiting++;
    this.#start();
    try {
      return await blockingQuery();
    } finally {
      this.#waiting--;
      if (this.#waiting === 0) this.stop();
    }
  }

  stop(): void {
    this.#running?.abort(new Error('no blocking query waits'));
    this.#running = undefined;
  }

  #start(): void {
    if (this.#running) return;
    this.#running = new AbortController();
    // It rejects only when `stop` aborts it.
    this.#run(this.#running.signal).catch(() => undefined);
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, answers, current, onFrozen } = this.#options;
    for (;;) {
      await delay(clock, INTERVAL_MS, signal);
      const agent = current();
      if (await answers(TIMEOUT_MS, signal)) continue;
      if (await answers(TIMEOUT_MS, signal)) continue;
      // Something else may have left it in the meantime.
      if (current() === agent) onFrozen();
    }
  }
}
