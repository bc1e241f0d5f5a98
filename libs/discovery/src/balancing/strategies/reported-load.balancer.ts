import type { Random } from '../../timing/clock.js';
import { LoadBalancer, type Target } from '../load-balancer.js';
import { Xorshift } from '../xorshift.js';
import { peakEwmaLoad } from './peak-ewma.balancer.js';
import { WeightedDraw } from './weighted-draw.js';

/** A smaller difference counts as noise, so that shares follow the weights. Of squares, which are compared without taking a root. */
const NOISE_SQUARED = 1.1 ** 2;

/** The better of two with more before it than this is no good choice yet. */
const BUSY_PERCENT = 120;

/**
 * The better of two targets, drawn by their weights, by the geometric mean of what this app has measured, and the same with the queue that the server reports; and
 * if even that one has a fifth more before it than usual, the better of it and a third:
 *
 *     own   = latency x (own calls under way / weight + 1)                                         as in `p2c-ewma`
 *     queue = (calls under way at the server + 1) / (the average of its reports + 1), 1/4 to 4
 *     load  = sqrt(own x (own x queue))
 *
 * A report fades with its age, so that `load` becomes `own`, as for a target that reports nothing. The penalty of an error is in `own`, and larger than what a
 * report can make up for.
 * Sources: B. Wydrowski et al., "Load is not what you should balance: Introducing Prequal", NSDI 2024, for servers that tell how many calls they have;
 * `npm run simulate -- load` for the rest. The capacity that gRFC A58 computes from reports made it 3 % better there, and with reports that stay the same 30 % worse.
 */
export class ReportedLoadBalancer extends LoadBalancer {
  readonly #draw: WeightedDraw;

  constructor(random: Random) {
    super();
    this.#draw = new WeightedDraw(new Xorshift(random));
  }

  override pick(targets: readonly Target[]): Target | undefined {
    const draw = this.#draw;
    const at = draw.draw(targets);
    const first = targets[at];
    if (targets.length < 2 || !first) return first;
    const better = this.#better(first, targets[draw.drawOther(targets, at)]);
    return better.reported.queuePercent > BUSY_PERCENT
      ? this.#better(better, targets[draw.drawOther(targets, at)])
      : better;
  }

  #better(best: Target, other: Target | undefined): Target {
    if (!other) return best;
    const draw = this.#draw;
    const own = peakEwmaLoad(best, draw.relative(best));
    const others = peakEwmaLoad(other, draw.relative(other));
    const isBetter =
      others * others * other.reported.queuePercent * NOISE_SQUARED < own * own * best.reported.queuePercent;
    return isBetter ? other : best;
  }
}
