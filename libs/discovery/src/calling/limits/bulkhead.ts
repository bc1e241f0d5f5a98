import type { Clock } from '../../timing/clock.js';
import { AdaptiveLimit } from './adaptive-limit.js';

export interface BulkheadRules {
  /** So many calls at once; `adaptive` finds out how many the service takes. */
  readonly concurrency: number | 'adaptive';
  /** So many may wait; who comes then is refused. */
  readonly queue: number;
}

/** A place in the queue. */
export interface Waiting {
  readonly admitted: Promise<void>;
  /** Gives the place up; false: it has been admitted in the meantime, and is to `exit`. */
  leave(): boolean;
}

/** Bounds how many calls to one service are under way: a slow one must not take all that the app has. */
export class Bulkhead {
  readonly #rules: BulkheadRules;
  readonly #adaptive: AdaptiveLimit | undefined;
  readonly #queue = new Set<() => void>();
  #underWay = 0;

  constructor(clock: Clock, rules: BulkheadRules) {
    this.#rules = rules;
    this.#adaptive = rules.concurrency === 'adaptive' ? new AdaptiveLimit(clock) : undefined;
  }

  get limit(): number {
    const { concurrency } = this.#rules;
    return concurrency === 'adaptive' ? (this.#adaptive?.value ?? 0) : concurrency;
  }

  get underWay(): number {
    return this.#underWay;
  }

  get waiting(): number {
    return this.#queue.size;
  }

  /** `true`: go. `false`: there is no room, not even to wait. Who was admitted is to call `exit`. */
  enter(): boolean | Waiting {
    if (this.#underWay < this.limit && this.#queue.size === 0) {
      this.#underWay++;
      return true;
    }
    if (this.#queue.size >= this.#rules.queue) return false;
    let admit: () => void = () => undefined;
    const admitted = new Promise<void>((resolve) => (admit = resolve));
    this.#queue.add(admit);
    return { admitted, leave: () => this.#queue.delete(admit) };
  }

  /** @param latencyMs undefined: it was never under way in earnest */
  exit(latencyMs?: number, hasFailed = false): void {
    if (latencyMs !== undefined) this.#adaptive?.observe(latencyMs, this.#underWay, hasFailed);
    this.#underWay--;
    for (const admit of this.#queue) {
      if (this.#underWay >= this.limit) return;
      this.#queue.delete(admit);
      this.#underWay++;
      admit();
    }
  }
}
