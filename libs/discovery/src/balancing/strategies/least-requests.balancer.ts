import type { Target } from '../load-balancer.js';
import { TwoChoicesBalancer } from './two-choices.balancer.js';

/** Of two targets, the one with fewer calls in flight for its weight. It ignores latency: a slow instance shows only by its queue. */
export class LeastRequestsBalancer extends TwoChoicesBalancer {
  protected override loadOf({ inFlight }: Target, weight: number): number {
    return inFlight / weight;
  }
}
