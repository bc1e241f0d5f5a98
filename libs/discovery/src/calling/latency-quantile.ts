/** From 0.1 ms, each bucket a fifth wider than the one before: 60 reach 5.6 s. */
const FIRST_MS = 0.1;
const FACTOR = 1.2;
const BUCKETS = 60;
const LN_FACTOR = Math.log(FACTOR);
/** So many samples, then all count half: the past is forgotten without a clock. */
const WINDOW = 2_000;
const FEWEST = 20;

/** Which latency so many of a hundred calls do not exceed, to within a fifth, from counts of constant size. */
export class LatencyQuantile {
  readonly #counts = new Float64Array(BUCKETS);
  #total = 0;

  add(latencyMs: number): void {
    const bucket = latencyMs <= FIRST_MS ? 0 : Math.ceil(Math.log(latencyMs / FIRST_MS) / LN_FACTOR);
    const at = Math.min(BUCKETS - 1, bucket);
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    if (++this.#total < WINDOW) return;
    this.#total = 0;
    for (let n = 0; n < BUCKETS; n++) this.#total += this.#counts[n] = (this.#counts[n] ?? 0) / 2;
  }

  /** In milliseconds; undefined: too little is known. */
  at(share: number): number | undefined {
    if (this.#total < FEWEST) return undefined;
    let seen = 0;
    for (let n = 0; n < BUCKETS; n++) {
      seen += this.#counts[n] ?? 0;
      if (seen >= share * this.#total) return FIRST_MS * FACTOR ** n;
    }
    return undefined;
  }
}
