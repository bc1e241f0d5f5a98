import type { Clock } from '../../timing/clock.js';

const FEWEST = 10;
const MOST = 1_000;
const FIRST = 20;
const TOLERANCE = 1.5;
const STEP = 0.2;
const AFTER_FAILURE = 0.9;
/** After so many answers, or so long, it is found out anew how quick the service is when it is not busy. */
const WINDOW = 1_000;
const WINDOW_MS = 5_000;

/**
 * How many calls a service takes at once, found out by trying: while it answers about as quickly as it can the limit rises
 * by the square root of itself, and as queues make it slower the limit falls in proportion. How quickly it can answer is
 * what it did at best of late; for that the limit is halved for a moment now and then.
 * Source: the gradient limit of Netflix's concurrency-limits, after TCP Vegas (Brakmo, Peterson, IEEE JSAC 13(8), 1995).
 */
export class AdaptiveLimit {
  #limit = FIRST;
  #best = Infinity;
  #bestBefore = Infinity;
  #answers = 0;
  readonly #clock: Clock;
  #windowEndsAt: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#windowEndsAt = clock.now() + WINDOW_MS;
  }

  get value(): number {
    return Math.round(this.#limit);
  }

  /** @param inFlight how many calls were under way, this one included */
  observe(latencyMs: number, inFlight: number, hasFailed: boolean): void {
    if (hasFailed) {
      this.#set(this.#limit * AFTER_FAILURE);
      return;
    }
    const latency = Math.max(latencyMs, 0.001);
    this.#best = Math.min(this.#best, latency);
    const best = Math.min(this.#best, this.#bestBefore);
    // Who does not use what he has learns nothing of what he could have.
    const isUsed = inFlight >= this.#limit / 2;
    const now = this.#clock.now();
    if (++this.#answers >= WINDOW || now >= this.#windowEndsAt) {
      this.#answers = 0;
      this.#windowEndsAt = now + WINDOW_MS;
      this.#bestBefore = this.#best;
      this.#best = Infinity;
      if (isUsed) this.#set(this.#limit / 2);
    } else if (isUsed) {
      const gradient = Math.max(0.5, Math.min(1, (TOLERANCE * best) / latency));
      const next = this.#limit * gradient + Math.sqrt(this.#limit);
      this.#set(this.#limit * (1 - STEP) + next * STEP);
    }
  }

  #set(limit: number): void {
    this.#limit = Math.min(MOST, Math.max(FEWEST, limit));
  }
}
