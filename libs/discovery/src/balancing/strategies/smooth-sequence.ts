/** Beyond it weights are rounded, to a share of so much less than one turn in a hundred. */
const LONGEST = 10_000;
const TURNS_EACH = 10;
/** Where the first turn of each begins, so that those of equal weight do not come together: the golden ratio spreads best. */
const GOLDEN = 0.618_033_988_75;

/**
 * One round of turns in which each index comes as often as its weight says, and never in a burst: its turns are spread
 * evenly over the round.
 * Source of the idea: the smooth weighted round robin of nginx (Igor Sysoev, 2012); computed at once instead of at each pick.
 *
 * @param weights each above 0
 */
export function smoothSequence(weights: readonly number[]): Int32Array {
  const counts = turns(weights);
  const length = counts.reduce((sum, count) => sum + count, 0);
  const place = new Float64Array(length);
  const index = new Int32Array(length);
  let next = 0;
  counts.forEach((count, at) => {
    for (let turn = 0; turn < count; turn++) {
      place[next] = (turn + ((at * GOLDEN) % 1)) / count;
      index[next++] = at;
    }
  });
  const order = Array.from(place.keys()).sort((a, b) => (place[a] ?? 0) - (place[b] ?? 0) || a - b);
  return Int32Array.from(order, (at) => index[at] ?? 0);
}

/** Exactly as weighted where that makes a round of reasonable length. */
function turns(weights: readonly number[]): number[] {
  const longest = Math.max(LONGEST, weights.length * TURNS_EACH);
  if (weights.every(Number.isSafeInteger)) {
    const divisor = weights.reduce(greatestCommonDivisor);
    const total = weights.reduce((sum, weight) => sum + weight / divisor, 0);
    if (total <= longest) return weights.map((weight) => weight / divisor);
  }
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => Math.max(1, Math.round((weight / sum) * longest)));
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
