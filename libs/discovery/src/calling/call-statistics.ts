/** From 1 ms, each bucket 20 % wider than the previous one: 84 of them reach an hour. */
const FIRST_MS = 1;
const FACTOR = 1.2;
const BUCKETS = 84;
const LN_FACTOR = Math.log(FACTOR);

/** Calls between two moments. */
export interface CallRates {
  readonly calls: number;
  readonly failed: number;
  /** Milliseconds that this share of the calls took at most; undefined: there were none. */
  quantile(share: number): number | undefined;
}

/** The calls of this app to a service since it started: only counters, so that it costs next to nothing and anything can be asked of it later. */
export class CallStatistics {
  #calls = 0;
  #failed = 0;
  readonly #buckets = new Float64Array(BUCKETS);

  /** A call that says nothing about the service, such as one that its caller cancelled, is left out. */
  add(durationMs: number, hasFailed: boolean): void {
    this.#calls++;
    if (hasFailed) this.#failed++;
    const exact = durationMs <= FIRST_MS ? 0 : Math.ceil(Math.log(durationMs / FIRST_MS) / LN_FACTOR);
    const bucket = Math.min(BUCKETS - 1, exact);
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1;
  }

  get snapshot(): CallCounts {
    return { calls: this.#calls, failed: this.#failed, buckets: this.#buckets.slice() };
  }
}

/** The counters at one moment. */
export interface CallCounts {
  readonly calls: number;
  readonly failed: number;
  readonly buckets: Float64Array;
}

/** What happened after `before`; all there was without it. */
export function ratesBetween(before: CallCounts | undefined, after: CallCounts): CallRates {
  const calls = after.calls - (before?.calls ?? 0);
  return {
    calls,
    failed: after.failed - (before?.failed ?? 0),
    quantile: (share) => {
      if (calls === 0) return undefined;
      let seen = 0;
      for (let n = 0; n < BUCKETS; n++) {
        const inBucket = (after.buckets[n] ?? 0) - (before?.buckets[n] ?? 0);
        if (inBucket > 0 && seen + inBucket >= share * calls) {
          const [low, high] = [n === 0 ? 0 : FIRST_MS * FACTOR ** (n - 1), FIRST_MS * FACTOR ** n];
          return low + (high - low) * Math.max(0, (share * calls - seen) / inBucket);
        }
        seen += inBucket;
      }
      return FIRST_MS * FACTOR ** (BUCKETS - 1);
    },
  };
}
