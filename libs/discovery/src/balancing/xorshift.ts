import type { Random } from '../timing/clock.js';

/**
 * Random integers at little cost and without allocation: `Math.random` returns a new heap number for each pick.
 * Source: George Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8(14), 2003. Not for secrets.
 */
export class Xorshift {
  #state: number;

  constructor(random: Random) {
    this.#state = Math.floor(random() * 2 ** 31) | 1;
  }

  /** 0 to 2^30 - 1: V8 stores such an integer without a heap number. */
  next(): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    this.#state = state;
    return state & 0x3fffffff;
  }

  /** 0 to `count` - 1. */
  below(count: number): number {
    return this.next() % count;
  }
}
