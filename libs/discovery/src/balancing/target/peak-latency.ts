const DECAY_MS = 10_000;
const MIN_LATENCY_MS = 0.001; // 0 means unknown
/** A value that no sample has come near to for this time is replaced by what recent calls took, however few they are. */
const UNCONFIRMED_MS = 5_000;
/**
 * As many samples replace it at once: otherwise one pause, of the target or of this process, makes a fast target look worse than a
 * slow one for seconds. With fewer, the latency of a busy target looks better than it is (`npm run simulate -- pauses`).
 */
const UNCONFIRMED_SAMPLES = 20;
const CONFIRMING_SHARE = 0.5;
const RECENT_STEP = 0.2;
/** Without a sample for this time the value may be outdated. */
const STALE_MS = 5_000;

/**
 * An exponentially weighted moving average that follows a slow response at once and a fast one gradually.
 * Source: the peak EWMA of Twitter's Finagle, with a limit on how long an unconfirmed peak lasts.
 */
export class PeakLatency {
  #valueMs = 0;
  #sampledAt = -Infinity;
  /** When a response last took about as long as the value says. */
  #confirmedAt = -Infinity;
  #unconfirmedSamples = 0;
  /** The average of the last few responses. */
  #recentMs = 0;
  #hasNewSample = false;

  /** 0: unknown. */
  get valueMs(): number {
    return this.#valueMs;
  }

  get sampledAt(): number {
    return this.#sampledAt;
  }

  observe(now: number, elapsedMs: number): void {
    const sample = Math.max(elapsedMs, MIN_LATENCY_MS);
    this.#recentMs = this.#valueMs === 0 ? sample : this.#recentMs + (sample - this.#recentMs) * RECENT_STEP;
    if (sample >= this.#valueMs * CONFIRMING_SHARE) {
      this.#confirmedAt = now;
      this.#unconfirmedSamples = 0;
    } else this.#unconfirmedSamples++;
    if (this.#valueMs === 0 || sample > this.#valueMs) this.#valueMs = sample;
    else if (this.#unconfirmedSamples >= UNCONFIRMED_SAMPLES) {
      this.#valueMs = this.#recentMs;
      this.#unconfirmedSamples = 0;
    } else {
      const old = Math.exp(-(now - this.#sampledAt) / DECAY_MS);
      this.#valueMs = this.#valueMs * old + sample * (1 - old);
    }
    this.#sampledAt = now;
    this.#hasNewSample = true;
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
    if (!this.#hasNewSample)
      this.#valueMs = Math.max(MIN_LATENCY_MS, this.#valueMs * Math.exp(-elapsedMs / DECAY_MS));
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
}
