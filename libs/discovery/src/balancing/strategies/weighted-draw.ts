import { AliasTable } from './alias-table.js';
import type { Target } from '../load-balancer.js';
import type { Xorshift } from '../xorshift.js';

/** Draws targets by their weights; the table is made when the targets are others, and not at all where all weigh the same. */
export class WeightedDraw {
  readonly #random: Xorshift;
  #of: readonly Target[] | undefined;
  #table: AliasTable | undefined;
  /** What one of them weighs on the average. */
  #average = 1;

  constructor(random: Xorshift) {
    this.#random = random;
  }

  /** @returns an index */
  draw(targets: readonly Target[]): number {
    if (this.#of !== targets) this.#prepare(targets);
    return this.#table ? this.#table.draw(this.#random) : this.#random.below(targets.length);
  }

  /** Another one than that; the targets are at least two. */
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

  /** How much a target weighs, compared to the others: 1 where all weigh the same. */
  relative({ weight }: Target): number {
    return this.#table ? weight / this.#average : 1;
  }

  #prepare(targets: readonly Target[]): void {
    const weights = targets.map(({ weight }) => weight);
    const isEven = weights.every((weight) => weight === weights[0]);
    this.#of = targets;
    this.#table = isEven ? undefined : new AliasTable(weights);
    this.#average = weights.reduce((sum, weight) => sum + weight, 0) / weights.length;
  }
}
