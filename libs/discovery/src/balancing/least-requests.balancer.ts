import type { Random } from '../timing/clock.js';
import { LoadBalancer, type Target } from './load-balancer.js';
import { betterOfTwo } from './two-choices.js';
import { WeightedDraw } from './weighted-draw.js';
import { Xorshift } from './xorshift.js';

/** Of two, the one with fewer calls under way for its weight. Knows no latency: a slow instance shows only by its queue. */
export class LeastRequestsBalancer extends LoadBalancer {
  readonly #draw: WeightedDraw;

  constructor(random: Random) {
    super();
    this.#draw = new WeightedDraw(new Xorshift(random));
  }

  override pick(targets: readonly Target[]): Target | undefined {
    return betterOfTwo(targets, this.#draw, load);
  }
}

function load(target: Target, draw: WeightedDraw): number {
  return target.inFlight / draw.relative(target);
}
