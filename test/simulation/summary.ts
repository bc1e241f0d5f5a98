import type { Scenario, SimulatedCall } from './simulation.js';

export interface Summary {
  readonly calls: number;
  readonly failed: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  /** The largest share of an instance, relative to the fair share. */
  readonly spread: number;
  /** Attempts per call. */
  readonly amplification: number;
  /** Share of attempts at the affected instances. */
  readonly watchedShare: number;
}

export function quantile(calls: readonly SimulatedCall[], share: number): number {
  const sorted = calls.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
}

/** Attempts at each instance, by its number. */
export function attemptsByInstance(calls: readonly SimulatedCall[]): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (const { attempts } of calls) for (const n of attempts) counts.set(n, (counts.get(n) ?? 0) + 1);
  return counts;
}

/** @param between milliseconds of the simulation */
export function during(
  calls: readonly SimulatedCall[],
  ...between: [from: number, to: number]
): SimulatedCall[] {
  return calls.filter(({ at }) => at >= between[0] && at < between[1]);
}

export function summarize(calls: readonly SimulatedCall[], { instances, watched }: Scenario): Summary {
  const counts = attemptsByInstance(calls);
  const attempts = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const atWatched = watched.reduce((sum, n) => sum + (counts.get(n) ?? 0), 0);
  return {
    calls: calls.length,
    failed: calls.filter(({ failed }) => failed).length,
    p50: quantile(calls, 0.5),
    p99: quantile(calls, 0.99),
    p999: quantile(calls, 0.999),
    spread: (Math.max(...counts.values()) / attempts) * instances,
    amplification: attempts / calls.length,
    watchedShare: atWatched / attempts,
  };
}
