import type { Target } from '../load-balancer.js';
import { TwoChoicesBalancer } from './two-choices.balancer.js';

/** Of two, the one with fewer calls under way for its weight. Knows no latency: a slow instance shows only by its queue. */
export class LeastRequestsBalancer extends TwoChoicesBalancer {
  protected override loadOf({ inFlight }: Target, weight: number): number {
    return inFlight / weight;
  }
}
