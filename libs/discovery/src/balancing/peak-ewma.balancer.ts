import type { Random } from '../timing/clock.js';
import { LoadBalancer, type Target } from './load-balancer.js';
import { betterOfTwo } from './two-choices.js';
import { WeightedDraw } from './weighted-draw.js';
import { Xorshift } from './xorshift.js';

/** More than any latency: of whom nothing is known gets one call, and no second one before that is answered. */
const UNKNOWN_AND_BUSY = 1e9;

/**
 * Of two, the one that is likely to answer first: by how long it takes, times the calls that would be under way at it.
 * Source: the `p2cPeakEwma` balancer of Twitter's Finagle. There as here an instance of which nothing is known is not one
 * that answers in no time: it gets one call. That a failure counts as a slow answer is `TargetState`'s doing.
 */
export class PeakEwmaBalancer extends LoadBalancer {
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
  const { latency, inFlight } = target;
  if (latency === 0) return inFlight === 0 ? 0 : UNKNOWN_AND_BUSY + inFlight;
  return latency * (inFlight / draw.relative(target) + 1);
}
