import type { Target } from '../load-balancer.js';
import { TwoChoicesBalancer } from './two-choices.balancer.js';

/** More than any latency: of whom nothing is known gets one call, and no second one before that is answered. */
const UNKNOWN_AND_BUSY = 1e9;

/**
 * Of two, the one that is likely to answer first: by how long it takes, times the calls that would be under way at it.
 * Source: the `p2cPeakEwma` balancer of Twitter's Finagle. There as here an instance of which nothing is known is not one
 * that answers in no time: it gets one call. That a failure counts as a slow answer is `TargetState`'s doing.
 */
export class PeakEwmaBalancer extends TwoChoicesBalancer {
  protected override loadOf({ latency, inFlight }: Target, weight: number): number {
    if (latency === 0) return inFlight === 0 ? 0 : UNKNOWN_AND_BUSY + inFlight;
    return latency * (inFlight / weight + 1);
  }
}
