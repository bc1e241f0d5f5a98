/** A report says nothing any more about a target after this time. */
const MAX_AGE_MS = 5_000;
const AVERAGE_STEP = 0.1;
/** More often, a server would have nothing new to tell. */
const ASK_AFTER_MS = 20;
/** A report makes a target look as if it had four times more or less before it than usual, and no more: a server that lies gains little. */
const MIN_QUEUE_PERCENT = 25;
const MAX_QUEUE_PERCENT = 400;
const USUAL = 100;
/** So many reports in a row that say the same are those of a server that does not count, or of a cache before it. */
const SAME_REPORTS = 20;

/** What the server of a target last said of its load. */
export class ReportedLoad {
  /** Calls under way at the server, those of other clients included, without the one whose response told it. */
  inFlight = 0;
  /** Of the reports so far, the later ones more. */
  averageInFlight = 0;
  /** When it was told, by the clock, in milliseconds; -Infinity: never, or too long ago. */
  at = -Infinity;
  /**
   * How much a further call has before it, in percent of what it has before it there on average, from 25 to 400: 100 is as ever, or unknown. What is usual for a target,
   * be it busy or slow, is in its latency; and a server that reports always the same, true or not, gains and loses nothing.
   *
   * An integer: a fraction would be in memory of its own, which costs a pick a tenth of its time.
   */
  queuePercent = USUAL;
  /** Calls of this app that were under way when it was told: they are in it. */
  #known = 0;
  #askedAt = -Infinity;
  /** Reports in a row that said the same. */
  #same = 0;

  get isKnown(): boolean {
    return this.at > -Infinity;
  }

  /** Whether it may be compared with that of another target. */
  get isTelling(): boolean {
    return this.isKnown && this.#same < SAME_REPORTS;
  }

  /** Whether to ask now; it is taken for asked, then. */
  mayAsk(now: number): boolean {
    if (now - this.#askedAt < ASK_AFTER_MS) return false;
    this.#askedAt = now;
    return true;
  }

  /** @param own calls of this app under way */
  observe(now: number, inFlight: number, own: number): void {
    this.averageInFlight = this.isKnown
      ? this.averageInFlight + (inFlight - this.averageInFlight) * AVERAGE_STEP
      : inFlight;
    this.#same = inFlight === this.inFlight ? this.#same + 1 : 0;
    this.inFlight = inFlight;
    this.at = now;
    this.#known = own;
    const percent = Math.round((USUAL * (inFlight + 1)) / (this.averageInFlight + 1));
    this.queuePercent = Math.min(MAX_QUEUE_PERCENT, Math.max(MIN_QUEUE_PERCENT, percent));
  }

  /** With the calls of this app since then. */
  nowInFlight(own: number): number {
    const since = own - this.#known;
    return since > 0 ? this.inFlight + since : this.inFlight;
  }

  /** Queues change faster than reports come: what is special about one is half forgotten. Called each `FADE_MS`, since a pick has no time to ask what time it is. */
  fade(): void {
    if (this.isKnown) this.queuePercent = USUAL + Math.trunc((this.queuePercent - USUAL) / 2);
  }

  /** A call to the target has failed: what its server says of its load is no reason for another, until one succeeds. */
  failed(): void {
    this.at = -Infinity;
    this.queuePercent = MAX_QUEUE_PERCENT;
  }

  succeeded(): void {
    if (!this.isKnown) this.queuePercent = USUAL;
  }

  /** Called once a second. */
  expire(now: number): void {
    if (!this.isKnown || now - this.at < MAX_AGE_MS) return;
    this.at = -Infinity;
    this.queuePercent = USUAL;
  }
}

/** Between calls of `fade`. */
export const FADE_MS = 100;
