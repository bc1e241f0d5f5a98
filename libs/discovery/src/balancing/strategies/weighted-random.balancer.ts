import type { Random } from '../../timing/clock.js';
import { LoadBalancer, type Target } from '../load-balancer.js';
import { WeightedDraw } from './weighted-draw.js';
import { Xorshift } from '../xorshift.js';

/** Any target, with a probability in proportion to its weight. */
export class WeightedRandomBalancer extends LoadBalancer {
  readonly #draw: WeightedDraw;

  constructor(random: Random) {
    super();
    this.#draw = new WeightedDraw(new Xorshift(random));
  }

  override pick(targets: readonly Target[]): Target | undefined {
    return targets[this.#draw.draw(targets)];
  }
}
