import type { Random } from '@rookery/discovery/adapter';

/** What took longer may have been held by its agent until there was a leader. */
const HELD_MS = 100;
/** A way that is merely long costs no more than ten times its length. */
const SPREAD_OF_HELD = 10;
const MAX_SPREAD_MS = 4_000;

/**
 * How long to wait before the next query: the reads that waited for a new leader are answered together, and must not all be followed by a blocking query in
 * the same moment. What was read is current meanwhile.
 *
 * @param tookMs how long a read took that does not block
 * @returns in milliseconds; mostly 0
 */
export function spreadAfterRead(tookMs: number, random: Random): number {
  return tookMs > HELD_MS ? Math.min(MAX_SPREAD_MS, SPREAD_OF_HELD * tookMs) * random() : 0;
}
