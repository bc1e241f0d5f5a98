const FEWEST = 4;
const MOST = 1_000;
const FIRST = 20;
const TOLERANCE = 1.5;
const STEP = 0.2;
const LONG_TERM = 1 / 600;
const AFTER_FAILURE = 0.9;

/**
 * How many calls a service takes at once, found out by trying: while its latency is what it is in the long run the limit
 * rises by the square root of itself, and as queues make it slower the limit falls in proportion.
 * Source: `Gradient2Limit` of Netflix's concurrency-limits.
 */
export class AdaptiveLimit {
  #limit = FIRST;
  #longTerm = 0;

  get value(): number {
    return Math.round(this.#limit);
  }

  /** @param inFlight how many calls were under way, this one included */
  observe(latencyMs: number, inFlight: number, hasFailed: boolean): void {
    if (hasFailed) {
      this.#set(this.#limit * AFTER_FAILURE);
      return;
    }
    this.#longTerm += (latencyMs - this.#longTerm) * (this.#longTerm === 0 ? 1 : LONG_TERM);
    // After a long time of overload the long run is slow as well: it comes down quickly again.
    if (this.#longTerm > latencyMs * 2) this.#longTerm *= 0.95;
    // Who does not use what he has learns nothing of what he could have.
    if (inFlight < this.#limit / 2) return;
    const gradient = Math.max(0.5, Math.min(1, (TOLERANCE * this.#longTerm) / Math.max(latencyMs, 0.001)));
    const next = this.#limit * gradient + Math.sqrt(this.#limit);
    this.#set(this.#limit * (1 - STEP) + next * STEP);
  }

  #set(limit: number): void {
    this.#limit = Math.min(MOST, Math.max(FEWEST, limit));
  }
}
