import type { Random } from '../../timing/clock.js';

/** When an instance is left alone for a while because calls to it fail; the numbers are those of Envoy's outlier detection. */
export interface EjectionRules {
  /** So many failures one after the other eject. */
  readonly consecutiveFailures: number;
  /** The first ejection lasts so long, the second twice, and so on, in milliseconds. */
  readonly baseMs: number;
  readonly maxMs: number;
  /** Also who succeeds much less often than the others, without failing in a row. */
  readonly successRate: boolean;
}

export const EJECTION_DEFAULTS: EjectionRules = {
  consecutiveFailures: 5,
  baseMs: 30_000,
  maxMs: 300_000,
  successRate: true,
};

/** Success rates are compared once in each such interval. */
export const SUCCESS_RATE_INTERVAL_MS = 10_000;
const FEWEST_TARGETS = 5;
const FEWEST_CALLS = 100;
const DEVIATIONS = 1.9;

/** How many of so many may be out at the same time: half of few, a tenth of many, and never fewer of more. */
export function mostEjected(count: number): number {
  return Math.max(Math.floor(Math.min(count, 9) / 2), Math.floor(count / 10));
}

/** Below half, leaving others alone as well would only bring down those that are left: Envoy's panic. */
export function isPanic(available: number, all: number): boolean {
  return available < all / 2;
}

/** With jitter, so that clients that ejected together do not come back together. */
export function ejectionTime(
  times: number,
  { baseMs, maxMs }: Pick<EjectionRules, 'baseMs' | 'maxMs'>,
  random: Random,
): number {
  return Math.min(maxMs, baseMs * times) * (0.9 + 0.2 * random());
}

export interface CallCount {
  readonly calls: number;
  readonly failures: number;
}

/**
 * Which of them succeed less often than the others, by index: more than 1.9 standard deviations below the mean of those
 * that had 100 calls or more in the interval, if those are five or more.
 */
export function successRateOutliers(counts: readonly CallCount[]): readonly number[] {
  const rated = counts.flatMap(({ calls, failures }, at) =>
    calls >= FEWEST_CALLS ? [{ at, rate: 1 - failures / calls }] : [],
  );
  if (rated.length < FEWEST_TARGETS) return [];
  const mean = rated.reduce((sum, { rate }) => sum + rate, 0) / rated.length;
  const variance = rated.reduce((sum, { rate }) => sum + (rate - mean) ** 2, 0) / rated.length;
  const least = mean - DEVIATIONS * Math.sqrt(variance);
  return rated.filter(({ rate }) => rate < least).map(({ at }) => at);
}
