const INITIAL = 1;
const MAX_SAVED = 10;

/** Limits second attempts in proportion to calls. */
export class HedgeBudget {
  #saved = INITIAL;

  /** To be called for each call that may be hedged. @param share hedges for each call, 0 to 1 */
  deposit(share: number): void {
    this.#saved = Math.min(MAX_SAVED, this.#saved + share);
  }

  /** Takes one hedge; false when none is left. */
  take(share: number): boolean {
    if (share <= 0 || this.#saved < 1) return false;
    this.#saved--;
    return true;
  }
}
