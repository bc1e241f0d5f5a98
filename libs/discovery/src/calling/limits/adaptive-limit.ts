import type { Clock } from '../../timing/clock.js';

const MIN_LIMIT = 10;
const MAX_LIMIT = 1_000;
const INITIAL_LIMIT = 20;
const TOLERANCE = 1.5;
const STEP = 0.2;
const FAILURE_FACTOR = 0.9;
/** After this many responses, or this time, the latency of the service without load is measured again. */
const WINDOW = 1_000;
const WINDOW_MS = 5_000;

/**
 * Finds how many concurrent calls a service can take. While latency is close to its minimum the limit rises by its square
 * root; as queues make the service slower it falls in proportion. The minimum is that of the last windows; to measure it
 * again, the limit is halved for a moment in each window.
 * Source: the gradient limit of Netflix's concurrency-limits, after TCP Vegas (Brakmo, Peterson, IEEE JSAC 13(8), 1995).
 */
export class AdaptiveLimit {
  readonly #clock: Clock;
  #limit = INITIAL_LIMIT;
  #minLatencyMs = Infinity;
  #previousMinLatencyMs = Infinity;
  #responses = 0;
  #windowEndsAt: number;
  readonly #knownMinimumMs: number | undefined;

  /** @param knownMinimumMs where the latency without load is known: then it need not be measured */
  constructor(clock: Clock, knownMinimumMs?: number) {
    this.#clock = clock;
    this.#knownMinimumMs = knownMinimumMs;
    this.#windowEndsAt = clock.now() + WINDOW_MS;
  }

  get value(): number {
    return Math.round(this.#limit);
  }

  /** @param inFlight calls in flight, this one included */
  observe(latencyMs: number, inFlight: number, hasFailed: boolean): void {
    if (hasFailed) {
      this.#set(this.#limit * FAILURE_FACTOR);
      return;
    }
    const latency = Math.max(latencyMs, 0.001);
    this.#minLatencyMs = Math.min(this.#minLatencyMs, latency);
    const minimum = this.#knownMinimumMs ?? Math.min(this.#minLatencyMs, this.#previousMinLatencyMs);
    // A limit that is not reached does not show whether a higher one would be possible.
    const isUsed = inFlight >= this.#limit / 2;
    const now = this.#clock.now();
    if (++this.#responses >= WINDOW || now >= this.#windowEndsAt) {
      this.#responses = 0;
      this.#windowEndsAt = now + WINDOW_MS;
      this.#previousMinLatencyMs = this.#minLatencyMs;
      this.#minLatencyMs = Infinity;
      if (isUsed && this.#knownMinimumMs === undefined) this.#set(this.#limit / 2);
    } else if (isUsed) {
      const gradient = Math.max(0.5, Math.min(1, (TOLERANCE * minimum) / latency));
      const next = this.#limit * gradient + Math.sqrt(this.#limit);
      this.#set(this.#limit * (1 - STEP) + next * STEP);
    }
  }

  #set(limit: number): void {
    this.#limit = Math.min(MAX_LIMIT, Math.max(MIN_LIMIT, limit));
  }
}
