import { ratesBetween, type CallCounts } from '@rookery/discovery/adapter';

const SECONDS = 60;
/** A shorter time than this makes a rate of a single call. */
const LEAST_MS = 900;

export interface SeriesPoint {
  readonly perSecond: number;
  readonly failedPerSecond: number;
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
}

const QUIET: SeriesPoint = { perSecond: 0, failedPerSecond: 0, p50Ms: undefined, p99Ms: undefined };

/** The calls to a service second by second, made of counters that only rise. */
export class CallSeries {
  readonly #points: SeriesPoint[] = [];
  #last: { readonly at: number; readonly counts: CallCounts } | undefined;

  /**
   * To be called at least about once a second.
   *
   * @param now milliseconds of a monotonic clock
   * @returns whether there is something to show that is new
   */
  sample(counts: CallCounts | undefined, now: number): boolean {
    const last = this.#last;
    if (!counts || (last && now - last.at < LEAST_MS)) return false;
    this.#last = { at: now, counts };
    if (!last) return false;
    const wasQuiet = this.#points.every(({ perSecond }) => perSecond === 0);
    const seconds = (now - last.at) / 1_000;
    const rates = ratesBetween(last.counts, counts);
    const point = {
      perSecond: rounded(rates.calls / seconds),
      failedPerSecond: rounded(rates.failed / seconds),
      p50Ms: rates.calls > 0 ? rates.quantile(0.5) : undefined,
      p99Ms: rates.calls > 0 ? rates.quantile(0.99) : undefined,
    };
    // Of a longer gap each second has the mean.
    for (let n = Math.min(SECONDS, Math.max(1, Math.round(seconds))); n > 0; n--)
      this.#points.push(rates.calls > 0 ? point : QUIET);
    while (this.#points.length > SECONDS) this.#points.shift();
    return !(wasQuiet && rates.calls === 0);
  }

  get points(): readonly SeriesPoint[] {
    return this.#points;
  }
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
