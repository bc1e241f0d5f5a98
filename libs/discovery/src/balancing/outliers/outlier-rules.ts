import type { Random } from '../../timing/clock.js';

/** When an instance is ejected because calls to it fail. The defaults are those of Envoy's outlier detection. */
export interface OutlierRules {
  /** This many consecutive failures eject an instance. */
  readonly consecutiveFailures: number;
  /** The length of an ejection is this, multiplied by the number of recent ejections of the instance. */
  readonly baseEjectionMs: number;
  readonly maxEjectionMs: number;
  /** Also ejects instances that succeed much less often than the others, without consecutive failures. */
  readonly successRate: boolean;
}

export const OUTLIER_DEFAULTS: OutlierRules = {
  consecutiveFailures: 5,
  baseEjectionMs: 30_000,
  maxEjectionMs: 300_000,
  successRate: true,
};

/** Success rates are compared once in each such interval. */
export const SUCCESS_RATE_INTERVAL_MS = 10_000;
const MIN_TARGETS = 5;
const MIN_CALLS = 100;
const STANDARD_DEVIATIONS = 1.9;
/** Where all succeed but for a call now and then, a single failure would be many standard deviations. */
const MIN_DISTANCE = 0.05;

/**
 * How many of `count` instances may be ejected at the same time. Up to nine instances: half, rounded down. Ten or more: a
 * tenth, but at least four. (Envoy's `max_ejection_percent`, 10 % by default, would allow none of a small service.)
 */
export function maxEjected(count: number): number {
  return Math.max(Math.floor(Math.min(count, 9) / 2), Math.floor(count / 10));
}

/** Envoy's panic threshold: with fewer than half available, ejecting more would only overload those that are left. */
export function isPanic(available: number, all: number): boolean {
  return available < all / 2;
}

/** With jitter, so that clients that ejected an instance together do not return to it together. */
export function ejectionTime(
  count: number,
  { baseEjectionMs, maxEjectionMs }: Pick<OutlierRules, 'baseEjectionMs' | 'maxEjectionMs'>,
  random: Random,
): number {
  return Math.min(maxEjectionMs, baseEjectionMs * count) * (0.9 + 0.2 * random());
}

export interface CallCounts {
  readonly calls: number;
  readonly failures: number;
}

/**
 * The indexes of those with a success rate more than 1.9 standard deviations, and five percentage points, below the mean, of those that had 100 calls or
 * more in the interval, if those are five or more.
 */
export function successRateOutliers(counts: readonly CallCounts[]): readonly number[] {
  const rated = counts.flatMap(({ calls, failures }, index) =>
    calls >= MIN_CALLS ? [{ index, rate: 1 - failures / calls }] : [],
  );
  if (rated.length < MIN_TARGETS) return [];
  const mean = rated.reduce((sum, { rate }) => sum + rate, 0) / rated.length;
  const variance = rated.reduce((sum, { rate }) => sum + (rate - mean) ** 2, 0) / rated.length;
  const threshold = mean - Math.max(STANDARD_DEVIATIONS * Math.sqrt(variance), MIN_DISTANCE);
  return rated.filter(({ rate }) => rate < threshold).map(({ index }) => index);
}
