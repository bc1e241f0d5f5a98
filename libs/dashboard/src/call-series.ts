import { ratesBetween, type CallCounts } from '@rookery/discovery/adapter';

const SECONDS = 60;

export interface SeriesPoint {
  readonly perSecond: number;
  readonly failedPerSecond: number;
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
}

/** The calls to a service second by second, made of counters that only rise. */
export class CallSeries {
  readonly #points: SeriesPoint[] = [];
  #last: { readonly at: number; readonly counts: CallCounts } | undefined;

  /** To be called about once a second. @returns whether there is something to show that is new */
  sample(counts: CallCounts | undefined, now: number): boolean {
    const last = this.#last;
    if (!counts) return false;
    this.#last = { at: now, counts };
    if (!last) return false;
    const seconds = Math.max(0.001, (now - last.at) / 1_000);
    const rates = ratesBetween(last.counts, counts);
    const wasQuiet = this.#points.every(({ perSecond }) => perSecond === 0);
    this.#points.push({
      perSecond: rounded(rates.calls / seconds),
      failedPerSecond: rounded(rates.failed / seconds),
      p50Ms: rates.calls > 0 ? rates.quantile(0.5) : undefined,
      p99Ms: rates.calls > 0 ? rates.quantile(0.99) : undefined,
    });
    if (this.#points.length > SECONDS) this.#points.shift();
    return !(wasQuiet && rates.calls === 0);
  }

  get points(): readonly SeriesPoint[] {
    return this.#points;
  }
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
