import type { Clock } from '../../timing/clock.js';
import { AdaptiveLimit } from './adaptive-limit.js';

export interface BulkheadRules {
  /** Calls at the same time; `adaptive` finds out how many the service can take. */
  readonly concurrency: number | 'adaptive';
  /** Calls that may wait; further ones are rejected. */
  readonly queue: number;
}

/** A place in the queue. */
export interface QueuedCall {
  readonly admitted: Promise<void>;
  /** Leaves the queue; false: the call has been admitted in the meantime, and has to `exit`. */
  leave(): boolean;
}

/** Bounds the concurrent calls to one service, so that a slow one cannot take all resources of the app. */
export class Bulkhead {
  readonly #rules: BulkheadRules;
  readonly #adaptive: AdaptiveLimit | undefined;
  readonly #queue = new Set<() => void>();
  #inFlight = 0;

  constructor(clock: Clock, rules: BulkheadRules) {
    this.#rules = rules;
    this.#adaptive = rules.concurrency === 'adaptive' ? new AdaptiveLimit(clock) : undefined;
  }

  get limit(): number {
    const { concurrency } = this.#rules;
    return concurrency === 'adaptive' ? (this.#adaptive?.value ?? 0) : concurrency;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get queued(): number {
    return this.#queue.size;
  }

  /** @returns true: admitted; false: rejected, the queue is full. A call that was admitted has to `exit` */
  enter(): boolean | QueuedCall {
    if (this.#inFlight < this.limit && this.#queue.size === 0) {
      this.#inFlight++;
      return true;
    }
    if (this.#queue.size >= this.#rules.queue) return false;
    let admit: () => void = () => undefined;
    const admitted = new Promise<void>((resolve) => (admit = resolve));
    this.#queue.add(admit);
    return { admitted, leave: () => this.#queue.delete(admit) };
  }

  /** @param latencyMs undefined: the call says nothing about the service */
  exit(latencyMs?: number, hasFailed = false): void {
    if (latencyMs !== undefined) this.#adaptive?.observe(latencyMs, this.#inFlight, hasFailed);
    this.#inFlight--;
    for (const admit of this.#queue) {
      if (this.#inFlight >= this.limit) return;
      this.#queue.delete(admit);
      this.#inFlight++;
      admit();
    }
  }
}
