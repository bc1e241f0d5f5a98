/** From 0.1 ms, each bucket 20 % wider than the previous one: 60 of them reach 4.7 s. */
const FIRST_MS = 0.1;
const FACTOR = 1.2;
const BUCKETS = 60;
const LN_FACTOR = Math.log(FACTOR);
/** After this many samples all counts are halved, so that old samples fade without a clock. */
const WINDOW = 2_000;
const MIN_SAMPLES = 20;

/** Estimates a quantile of recent latencies to within 20 %, from counters of constant size. */
export class LatencyQuantile {
  readonly #counts = new Float64Array(BUCKETS);
  #total = 0;

  add(latencyMs: number): void {
    const exact = latencyMs <= FIRST_MS ? 0 : Math.ceil(Math.log(latencyMs / FIRST_MS) / LN_FACTOR);
    const bucket = Math.min(BUCKETS - 1, exact);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    if (++this.#total < WINDOW) return;
    this.#total = 0;
    for (let n = 0; n < BUCKETS; n++) this.#total += this.#counts[n] = (this.#counts[n] ?? 0) / 2;
  }

  /** In milliseconds; undefined: too few samples. */
  at(quantile: number): number | undefined {
    if (this.#total < MIN_SAMPLES) return undefined;
    let seen = 0;
    for (let n = 0; n < BUCKETS; n++) {
      seen += this.#counts[n] ?? 0;
      if (seen >= quantile * this.#total) return FIRST_MS * FACTOR ** n;
    }
    return undefined;
  }
}
