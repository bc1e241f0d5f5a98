import { AliasTable } from './alias-table.js';
import type { Target } from '../load-balancer.js';
import type { Xorshift } from '../xorshift.js';

/** Draws targets by their weights; the table is computed when the targets change, and not at all where all weights are equal. */
export class WeightedDraw {
  readonly #random: Xorshift;
  #targets: readonly Target[] | undefined;
  #table: AliasTable | undefined;
  /** The average weight. */
  #average = 1;

  constructor(random: Xorshift) {
    this.#random = random;
  }

  /** @returns an index */
  draw(targets: readonly Target[]): number {
    if (this.#targets !== targets) this.#prepare(targets);
    return this.#table ? this.#table.draw(this.#random) : this.#random.below(targets.length);
  }

  /** An index other than `than`; there are at least two targets. */
  drawOther(targets: readonly Target[], than: number): number {
    if (this.#table) {
      for (let tries = 0; tries < 4; tries++) {
        const other = this.draw(targets);
        if (other !== than) return other;
      }
    }
    const other = this.#random.below(targets.length - 1);
    return other < than ? other : other + 1;
  }

  /** The weight of a target relative to the average: 1 where all weights are equal. */
  relative({ weight }: Target): number {
    return this.#table ? weight / this.#average : 1;
  }

  #prepare(targets: readonly Target[]): void {
    const weights = targets.map(({ weight }) => weight);
    const isEven = weights.every((weight) => weight === weights[0]);
    this.#targets = targets;
    this.#table = isEven ? undefined : new AliasTable(weights);
    this.#average = weights.reduce((sum, weight) => sum + weight, 0) / weights.length;
  }
}
