import type { Random } from '../../timing/clock.js';
import { LoadBalancer, type Target } from '../load-balancer.js';
import { Xorshift } from '../xorshift.js';

/** Any target with equal probability, whatever its weight. */
export class RandomBalancer extends LoadBalancer {
  readonly #random: Xorshift;

  constructor(random: Random) {
    super();
    this.#random = new Xorshift(random);
  }

  override pick(targets: readonly Target[]): Target | undefined {
    return targets[this.#random.below(targets.length)];
  }
}
