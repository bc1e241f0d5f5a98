/** Weights are rounded if an exact round would be longer; the error is far below one turn in a hundred. */
const MAX_LENGTH = 10_000;
const MIN_TURNS_PER_TARGET = 10;
/** Offsets the first turn of each target, so that those of equal weight do not follow each other; the golden ratio spreads them best. */
const GOLDEN_RATIO = 0.618_033_988_75;

/**
 * One round of turns in which each index appears in proportion to its weight, evenly distributed over the round instead of in
 * a burst. Source: the smooth weighted round robin of nginx (Igor Sysoev, 2012); here computed once instead of at each pick.
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
      place[next] = (turn + ((at * GOLDEN_RATIO) % 1)) / count;
      index[next++] = at;
    }
  });
  const order = Array.from(place.keys()).sort((a, b) => (place[a] ?? 0) - (place[b] ?? 0) || a - b);
  return Int32Array.from(order, (at) => index[at] ?? 0);
}

/** The turns of each index: exact if that makes a round of reasonable length. */
function turns(weights: readonly number[]): number[] {
  const maxLength = Math.max(MAX_LENGTH, weights.length * MIN_TURNS_PER_TARGET);
  if (weights.every(Number.isSafeInteger)) {
    const divisor = weights.reduce(greatestCommonDivisor);
    const total = weights.reduce((sum, weight) => sum + weight / divisor, 0);
    if (total <= maxLength) return weights.map((weight) => weight / divisor);
  }
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => Math.max(1, Math.round((weight / sum) * maxLength)));
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
