import type { Clock } from '../timing/clock.js';
import { withTimeout } from '../timing/with-timeout.js';
import type { Contributor } from './health-contributors.js';

/** In limits of the contributor. */
const FIRST_PATIENCE = 10;
const LONGEST_PATIENCE_MS = 3_600_000;

/** A contributor whose last run has not ended within its limit, and goes on. */
interface HungRun {
  /** The next run begins then, beside those that go on. */
  readonly againAt: number;
  readonly patienceMs: number;
}

/**
 * Runs contributors, each within its limit. One that hangs is not run again with each check: questions of how a database is would take all of its connections.
 * It fails at once, as it did, until its run ends; since that may never happen, another one begins after ten limits, then twenty, up to an hour.
 */
export class ContributorRuns {
  readonly #clock: Clock;
  readonly #hung = new Map<Contributor, HungRun>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Rejects as the contributor does, or when there is no result in time. */
  async run(contributor: Contributor, limitMs: number): Promise<unknown> {
    const noResult = (): Error => new Error(`no result in ${limitMs} ms`);
    const now = this.#clock.now();
    const hung = this.#hung.get(contributor);
    if (hung && now < hung.againAt) throw noResult();
    // Meanwhile the checks of other groups do not begin one, too.
    if (hung) this.#hung.set(contributor, { ...hung, againAt: now + limitMs });
    const running = (async () => contributor.run())();
    const ended = (): boolean => this.#hung.delete(contributor);
    running.then(ended, ended);
    return withTimeout(this.#clock, limitMs, running, () => {
      const patienceMs = hung ? Math.min(2 * hung.patienceMs, LONGEST_PATIENCE_MS) : FIRST_PATIENCE * limitMs;
      this.#hung.set(contributor, { againAt: this.#clock.now() + patienceMs, patienceMs });
      return noResult();
    });
  }
}
