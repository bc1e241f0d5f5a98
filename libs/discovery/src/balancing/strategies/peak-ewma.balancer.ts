import type { Target } from '../load-balancer.js';
import { TwoChoicesBalancer } from './two-choices.balancer.js';

/** Above any latency: a target without a success gets one call, and no second one before that is answered. */
const UNPROVEN_AND_BUSY = 1e9;

/**
 * Of two targets, the one that is likely to answer first: latency x calls in flight, the new one included.
 * Source: the `p2cPeakEwma` balancer of Twitter's Finagle. An unknown latency does not count as a fast one: the target gets
 * one call. A failure counts as a slow response, see `TrackedTarget`.
 */
export class PeakEwmaBalancer extends TwoChoicesBalancer {
  protected override loadOf(target: Target, weight: number): number {
    return peakEwmaLoad(target, weight);
  }
}

/** @param weight relative to the average: 1 where all weights are equal */
export function peakEwmaLoad(target: Target, weight: number): number {
  const { latencyMs, inFlight } = target;
  // Read only if needed: it is in memory that a pick otherwise does not touch.
  if (inFlight > 0 && (latencyMs === 0 || !target.hasSucceeded)) return UNPROVEN_AND_BUSY + inFlight;
  return latencyMs * (inFlight / weight + 1);
}
