/** More connections than these gain a client nothing; 500 clients x 1,000 instances would cost half a million of them. */
export const MAX_SUBSET = 100;

export interface Scored {
  /** This client's hash of the target. */
  readonly score: number;
}

/**
 * The part of a large service that one client calls: the targets with the highest scores. Each client has other scores, so
 * that all instances have about as many clients, and when one joins or leaves at most one of the others is exchanged.
 * Source: David Thaler, Chinya Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", IEEE/ACM ToN 6(1), 1998
 * (rendezvous hashing).
 */
export function subsetOf<T extends Scored>(targets: readonly T[]): readonly T[] {
  if (targets.length <= MAX_SUBSET) return targets;
  return [...targets].sort((a, b) => b.score - a.score).slice(0, MAX_SUBSET);
}
