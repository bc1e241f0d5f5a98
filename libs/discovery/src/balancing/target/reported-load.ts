/** A report says nothing any more about a target after this time. */
const MAX_AGE_MS = 5_000;
/** Queues change faster than reports come: what is special about one is half forgotten after this time. */
const HALF_AGE_MS = 100;
const AVERAGE_STEP = 0.1;

/** What the server of a target last said of its load. */
export class ReportedLoad {
  /** Calls under way at the server, those of other clients included, without the one whose response told it. */
  inFlight = 0;
  /** Of the reports so far, the later ones more. */
  averageInFlight = 0;
  /** When it was told, by the clock, in milliseconds; -Infinity: never, or too long ago. */
  at = -Infinity;
  /** Calls of this app that were under way when it was told: they are in it. */
  #known = 0;

  get isKnown(): boolean {
    return this.at > -Infinity;
  }

  /** @param own calls of this app under way */
  observe(now: number, inFlight: number, own: number): void {
    this.averageInFlight = this.isKnown
      ? this.averageInFlight + (inFlight - this.averageInFlight) * AVERAGE_STEP
      : inFlight;
    this.inFlight = inFlight;
    this.at = now;
    this.#known = own;
  }

  /**
   * How much a further call has before it, relative to what it has before it there on average: 1 is as ever. What is usual for a target, be it busy or slow,
   * is in its latency; and a server whose reports say always the same, true or not, gains and loses nothing.
   *
   * @param now when any target of the service last told its load: a clock would cost as much as the choice
   * @param own calls of this app under way
   */
  relativeTo(now: number, own: number): number {
    const age = Math.max(0, now - this.at);
    const deviation = ((this.inFlight - this.averageInFlight) * HALF_AGE_MS) / (HALF_AGE_MS + age);
    return 1 + (deviation + Math.max(0, own - this.#known)) / (this.averageInFlight + 1);
  }

  /** Called once a second. */
  expire(now: number): void {
    if (now - this.at >= MAX_AGE_MS) this.at = -Infinity;
  }
}
