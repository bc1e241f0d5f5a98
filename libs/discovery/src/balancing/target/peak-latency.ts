const DECAY_MS = 10_000;
const MIN_LATENCY_MS = 0.001; // 0 means unknown
/** A value that no sample has come near to for this time is replaced by what recent calls took, however few they are. */
const UNCONFIRMED_MS = 5_000;
const CONFIRMING_SHARE = 0.5;
const RECENT_STEP = 0.2;
/** Without a sample for this time the value may be outdated. */
const STALE_MS = 5_000;
/** One outlier in as many samples is doubted: a target that has more of them is slow now and then. */
const STEADY_SAMPLES = 100;
/** Calls that begin after an outlier, and end its doubt when none comes near to it. */
const REFUTING_SAMPLES = 3;
/** Without a call since an outlier, it is tried again after this time. */
const DOUBT_MS = 1_000;

/** A response that took much longer than all before it. */
interface Outlier {
  readonly at: number;
  /** 0: it was the first. */
  readonly valueBefore: number;
  /** Of the calls that began after it. */
  refuting: number;
  slowestRefuting: number;
}

/**
 * An exponentially weighted moving average that follows a slow response at once and a fast one gradually.
 * Source: the peak EWMA of Twitter's Finagle, with a limit on how long a peak lasts that no other call confirms. A pause, of the target
 * or of this process, would otherwise make a fast target look worse than a slow one for seconds (`npm run simulate -- pauses`).
 */
export class PeakLatency {
  #valueMs = 0;
  #sampledAt = -Infinity;
  /** When a response last took about as long as the value says. */
  #confirmedAt = -Infinity;
  /** The average of the last few responses. */
  #recentMs = 0;
  #hasNewSample = false;
  /** Since one that was much higher than the value. */
  #steadySamples = 0;
  #outlier: Outlier | undefined;

  /** 0: unknown. */
  get valueMs(): number {
    return this.#valueMs;
  }

  get sampledAt(): number {
    return this.#sampledAt;
  }

  observe(now: number, elapsedMs: number): void {
    const sample = Math.max(elapsedMs, MIN_LATENCY_MS);
    const isFirst = this.#valueMs === 0;
    const isMuchHigher = sample * CONFIRMING_SHARE > this.#valueMs;
    if (this.#outlier) this.#judge(this.#outlier, now, sample);
    else if (isFirst || (isMuchHigher && this.#steadySamples >= STEADY_SAMPLES))
      this.#outlier = { at: now, valueBefore: this.#valueMs, refuting: 0, slowestRefuting: 0 };
    this.#steadySamples = isMuchHigher ? 0 : this.#steadySamples + 1;
    this.#add(now, sample);
  }

  /** A failure counts as this long, and is believed at once. */
  penalize(now: number, milliseconds: number): void {
    this.#outlier = undefined;
    this.#steadySamples = 0;
    this.#add(now, milliseconds);
  }

  /** A call took at least this long, and was then cancelled. Without it, a target that never answers would stay unknown. */
  observeAtLeast(now: number, elapsedMs: number): void {
    if (elapsedMs <= this.#valueMs) return;
    this.#valueMs = elapsedMs;
    this.#sampledAt = now;
  }

  /**
   * Decays a value without new samples, and replaces one that is no longer confirmed: a slow instance gets few calls, so
   * that samples alone would take half a minute to show its recovery. Called once a second and not at each pick, because
   * `Math.exp` is expensive.
   */
  decay(now: number, elapsedMs: number): void {
    if (this.#valueMs === 0) return;
    if (!this.#hasNewSample) this.#decayWithoutSample(now, elapsedMs);
    else if (now - this.#confirmedAt >= UNCONFIRMED_MS) this.#valueMs = this.#recentMs;
    this.#hasNewSample = false;
  }

  isStale(now: number): boolean {
    return this.#valueMs > 0 && now - this.#sampledAt >= STALE_MS;
  }

  /** Back to unknown: the next call measures it again. */
  reset(): void {
    this.#valueMs = 0;
  }

  #add(now: number, sample: number): void {
    this.#recentMs = this.#valueMs === 0 ? sample : this.#recentMs + (sample - this.#recentMs) * RECENT_STEP;
    if (sample >= this.#valueMs * CONFIRMING_SHARE) this.#confirmedAt = now;
    if (this.#valueMs === 0 || sample > this.#valueMs) this.#valueMs = sample;
    else {
      const old = Math.exp(-(now - this.#sampledAt) / DECAY_MS);
      this.#valueMs = this.#valueMs * old + sample * (1 - old);
    }
    this.#sampledAt = now;
    this.#hasNewSample = true;
  }

  /** By a call that began after it: those that were under way may have waited for the same pause. */
  #judge(outlier: Outlier, now: number, sample: number): void {
    if (now - sample < outlier.at) return;
    if (sample >= this.#valueMs * CONFIRMING_SHARE) {
      this.#outlier = undefined;
      return;
    }
    outlier.slowestRefuting = Math.max(outlier.slowestRefuting, sample);
    if (++outlier.refuting < REFUTING_SAMPLES) return;
    this.#outlier = undefined;
    this.#valueMs = Math.max(outlier.valueBefore, outlier.slowestRefuting);
  }

  /** Others are preferred to it: after an outlier it would wait for a sample for long. */
  #decayWithoutSample(now: number, elapsedMs: number): void {
    const outlier = this.#outlier;
    if (outlier && outlier.valueBefore > 0 && now - outlier.at >= DOUBT_MS) {
      this.#outlier = undefined;
      this.#valueMs = outlier.valueBefore;
    } else this.#valueMs = Math.max(MIN_LATENCY_MS, this.#valueMs * Math.exp(-elapsedMs / DECAY_MS));
  }
}
