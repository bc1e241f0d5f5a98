import type { Clock } from '../../timing/clock.js';

export interface RetryBudgetOptions {
  /** Retries for each call that is made. */
  readonly ratio: number;
  /** And so many a second besides, for whoever calls seldom. */
  readonly perSecond: number;
}

/** Saved for a moment of failures: more would be a storm when one comes after a long calm. */
const MOST_SAVED = 20;

/**
 * How many retries may be made, in proportion to the calls: retries without it multiply the load exactly when a service
 * has too much of it. Source: Finagle's `RetryBudget`; "Handling Overload" in Beyer et al., Site Reliability Engineering, 2016.
 */
export class RetryBudget {
  readonly #clock: Clock;
  readonly #options: RetryBudgetOptions;
  #earned = 0;
  #steady: number;
  #countedAt: number;

  constructor(clock: Clock, options: RetryBudgetOptions) {
    this.#clock = clock;
    this.#options = options;
    this.#steady = mostSteady(options);
    this.#countedAt = clock.now();
  }

  /** A call is made. */
  deposit(): void {
    this.#earned = Math.min(MOST_SAVED, this.#earned + this.#options.ratio);
  }

  /** Takes one retry; false when there is none left. */
  take(): boolean {
    const { perSecond } = this.#options;
    const now = this.#clock.now();
    this.#steady = Math.min(
      mostSteady(this.#options),
      this.#steady + ((now - this.#countedAt) / 1_000) * perSecond,
    );
    this.#countedAt = now;
    // Five fifths are a little less than one to a computer.
    if (this.#earned >= 1 - 1e-9) this.#earned--;
    else if (this.#steady >= 1) this.#steady--;
    else return false;
    return true;
  }
}

/** What is allowed each second, or one where it is less often than that. */
function mostSteady({ perSecond }: RetryBudgetOptions): number {
  return perSecond === 0 ? 0 : Math.max(1, perSecond);
}
