import type { Clock } from '../timing/clock.js';
import { withTimeout } from '../timing/with-timeout.js';

/** For this time the last answer is used again. */
const VALID_MS = 10_000;
const TIMEOUT_MS = 1_000;

/** Why a list has no usable instance, from its source: asked once for all calls that want to know. */
export class Diagnosis {
  readonly #clock: Clock;
  readonly #ask: (signal: AbortSignal) => Promise<string | undefined>;
  #last: Promise<string | undefined> | undefined;
  #askedAt = -Infinity;

  constructor(clock: Clock, ask: (signal: AbortSignal) => Promise<string | undefined>) {
    this.#clock = clock;
    this.#ask = ask;
  }

  /** Never rejects: a source that does not answer now has nothing to say. */
  get(): Promise<string | undefined> {
    const now = this.#clock.now();
    if (!this.#last || now - this.#askedAt >= VALID_MS) {
      this.#askedAt = now;
      this.#last = this.#askWithin(TIMEOUT_MS);
    }
    return this.#last;
  }

  async #askWithin(timeoutMs: number): Promise<string | undefined> {
    const ending = new AbortController();
    const timedOut = (): Error => new Error('timed out');
    const asked = this.#ask(ending.signal);
    return withTimeout(this.#clock, timeoutMs, asked, timedOut)
      .catch(() => undefined)
      .finally(() => ending.abort(timedOut()));
  }
}
