import type { Random } from '../../timing/clock.js';
import { LoadBalancer, type Target } from '../load-balancer.js';
import { Xorshift } from '../xorshift.js';
import { peakEwmaLoad } from './peak-ewma.balancer.js';
import { WeightedDraw } from './weighted-draw.js';

/** One more than of those of which nothing is reported: the third is worth it only if it is known how busy it is now. */
const CHOICES = 3;
/** A smaller difference counts as noise, so that shares follow the weights. */
const NOISE = 1.1;
/** A report makes a target look as if it had this much more or less before it than usual, and no more: a server that lies gains little. */
const MAX_TRUST = 4;

/**
 * The best of three targets, drawn by their weights, by the geometric mean of what this app has measured, and the same with the queue that the server reports:
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
  /** When a target last told its load, as far as seen. */
  #latest = -Infinity;

  constructor(random: Random) {
    super();
    this.#draw = new WeightedDraw(new Xorshift(random));
  }

  override pick(targets: readonly Target[]): Target | undefined {
    const draw = this.#draw;
    const at = draw.draw(targets);
    let best = targets[at];
    if (targets.length < 2 || !best) return best;
    let least = this.#loadOf(best);
    for (let n = 1; n < CHOICES; n++) {
      const other = targets[draw.drawOther(targets, at)];
      if (!other || other === best) continue;
      const load = this.#loadOf(other);
      if (load * NOISE >= least) continue;
      best = other;
      least = load;
    }
    return best;
  }

  #loadOf(target: Target): number {
    const { reported, inFlight } = target;
    const own = peakEwmaLoad(target, this.#draw.relative(target));
    if (!reported.isKnown) return own;
    if (reported.at > this.#latest) this.#latest = reported.at;
    const queue = reported.relativeTo(this.#latest, inFlight);
    return own * Math.sqrt(Math.min(MAX_TRUST, Math.max(1 / MAX_TRUST, queue)));
  }
}
