import type { Clock } from '../../timing/clock.js';

export interface RetryBudgetRules {
  /** Retries for each call. */
  readonly ratio: number;
  /** Further retries a second, for clients with few calls. */
  readonly perSecond: number;
}

/** Limits what a long calm can save up: more would be a retry storm when failures begin. */
const MAX_SAVED = 20;

/**
 * Limits retries in proportion to calls: without a budget, retries multiply the load just when a service has too much of
 * it. Source: Finagle's `RetryBudget`; "Handling Overload" in Beyer et al., Site Reliability Engineering, 2016.
 */
export class RetryBudget {
  readonly #clock: Clock;
  readonly #rules: RetryBudgetRules;
  #earned = 0;
  #perSecond: number;
  #countedAt: number;

  constructor(clock: Clock, rules: RetryBudgetRules) {
    this.#clock = clock;
    this.#rules = rules;
    this.#perSecond = maxPerSecond(rules);
    this.#countedAt = clock.now();
  }

  /** How many retries it would allow now. */
  get available(): number {
    return Math.floor(this.#earned + 1e-9) + Math.floor(this.#allowance());
  }

  /** To be called for each call. */
  deposit(): void {
    this.#earned = Math.min(MAX_SAVED, this.#earned + this.#rules.ratio);
  }

  /** Takes one retry; false when none is left. */
  take(): boolean {
    this.#perSecond = this.#allowance();
    this.#countedAt = this.#clock.now();
    // In floating point, five times 0.2 may be a little less than 1.
    if (this.#earned >= 1 - 1e-9) this.#earned--;
    else if (this.#perSecond >= 1) this.#perSecond--;
    else return false;
    return true;
  }

  /** What the time since it was counted has added to it. */
  #allowance(): number {
    const seconds = (this.#clock.now() - this.#countedAt) / 1_000;
    return Math.min(maxPerSecond(this.#rules), this.#perSecond + seconds * this.#rules.perSecond);
  }
}

/** At least 1, so that a lower rate than one a second adds up to a retry at all. */
function maxPerSecond({ perSecond }: RetryBudgetRules): number {
  return perSecond === 0 ? 0 : Math.max(1, perSecond);
}
