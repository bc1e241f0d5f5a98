import type { Random } from '../../timing/clock.js';
import { LoadBalancer, type Target } from '../load-balancer.js';
import { WeightedDraw } from './weighted-draw.js';
import { Xorshift } from '../xorshift.js';

/** A smaller difference counts as noise: the target drawn first is taken, so that shares follow the weights. */
const NOISE = 1.2;

/**
 * The better of two distinct targets, drawn by their weights. Two are enough: the longest queue grows only with the logarithm
 * of the logarithm of the number of targets, and clients do not herd to the best one.
 * Source: Michael Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", IEEE TPDS 12(10), 2001.
 */
export abstract class TwoChoicesBalancer extends LoadBalancer {
  readonly #draw: WeightedDraw;

  constructor(random: Random) {
    super();
    this.#draw = new WeightedDraw(new Xorshift(random));
  }

  /** @param weight relative to the average: 1 where all weights are equal */
  protected abstract loadOf(target: Target, weight: number): number;

  override pick(targets: readonly Target[]): Target | undefined {
    const draw = this.#draw;
    const at = draw.draw(targets);
    const first = targets[at];
    if (targets.length < 2 || !first) return first;
    const second = targets[draw.drawOther(targets, at)];
    if (!second) return first;
    const isBetter =
      this.loadOf(second, draw.relative(second)) * NOISE < this.loadOf(first, draw.relative(first));
    return isBetter ? second : first;
  }
}
