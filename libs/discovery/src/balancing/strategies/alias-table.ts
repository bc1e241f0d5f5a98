import type { Xorshift } from '../xorshift.js';

const WHOLE = 2 ** 30;

/**
 * Draws an index with a chance in proportion to its weight, in constant time.
 * Source: Michael Vose, "A Linear Algorithm for Generating Random Numbers with a Given Distribution", IEEE TSE 17(9), 1991.
 */
export class AliasTable {
  readonly #threshold: Int32Array;
  readonly #alias: Int32Array;

  /** @param weights each above 0 */
  constructor(weights: readonly number[]) {
    const count = weights.length;
    this.#threshold = new Int32Array(count).fill(WHOLE - 1);
    this.#alias = Int32Array.from(weights.keys());
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const scaled = weights.map((weight) => (weight * count) / total);
    const small: number[] = [];
    const large: number[] = [];
    scaled.forEach((share, at) => (share < 1 ? small : large).push(at));
    for (let low = small.pop(); low !== undefined; low = small.pop()) {
      const high = large.pop();
      // Shares left on one side only are 1, except for rounding errors.
      if (high === undefined) break;
      const share = scaled[low] ?? 1;
      this.#threshold[low] = Math.floor(share * WHOLE);
      this.#alias[low] = high;
      const rest = (scaled[high] ?? 1) + share - 1;
      scaled[high] = rest;
      (rest < 1 ? small : large).push(high);
    }
  }

  draw(random: Xorshift): number {
    const at = random.below(this.#threshold.length);
    return random.next() < (this.#threshold[at] ?? WHOLE) ? at : (this.#alias[at] ?? at);
  }
}
