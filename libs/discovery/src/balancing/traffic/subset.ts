/** More connections than these buy a client nothing, and cost 500 clients x 1,000 instances half a million of them. */
export const LARGEST_SUBSET = 100;

export interface Scored {
  /** This client's hash of it. */
  readonly score: number;
}

/**
 * The part of a large service that one client calls: those with the highest scores. Each client has other scores, so all
 * instances have about as many clients, and when one comes or goes at most one of the others is exchanged.
 * Source: David Thaler, Chinya Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", IEEE/ACM ToN 6(1), 1998
 * (rendezvous hashing).
 */
export function subsetOf<T extends Scored>(targets: readonly T[]): readonly T[] {
  if (targets.length <= LARGEST_SUBSET) return targets;
  return [...targets].sort((a, b) => b.score - a.score).slice(0, LARGEST_SUBSET);
}
