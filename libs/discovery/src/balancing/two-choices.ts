import type { Target } from './load-balancer.js';
import type { WeightedDraw } from './weighted-draw.js';

/** What differs by less is noise: who was drawn first takes it, so that the share of each is its weight's. */
const NOISE = 1.2;

/**
 * The better of two distinct targets, drawn by their weights. Two are enough: the longest queue grows with the logarithm
 * of the logarithm of their number, and nobody herds to the best.
 * Source: Michael Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", IEEE TPDS 12(10), 2001.
 */
export function betterOfTwo(
  targets: readonly Target[],
  draw: WeightedDraw,
  loadOf: (target: Target, draw: WeightedDraw) => number,
): Target | undefined {
  const at = draw.draw(targets);
  const first = targets[at];
  if (targets.length < 2 || !first) return first;
  const second = targets[draw.drawOther(targets, at)];
  return second && loadOf(second, draw) * NOISE < loadOf(first, draw) ? second : first;
}
