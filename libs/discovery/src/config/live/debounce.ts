import type { Clock } from '../../timing/clock.js';

/** Runs work once for a series of triggers: when none has come for a while, and at the latest after four times that. */
export class Debounce {
  readonly #clock: Clock;
  readonly #quietMs: number;
  readonly #work: () => void;
  #firstAt: number | undefined;
  #cancel: () => void = () => undefined;

  constructor(clock: Clock, quietMs: number, work: () => void) {
    this.#clock = clock;
    this.#quietMs = quietMs;
    this.#work = work;
  }

  trigger(): void {
    const now = this.#clock.now();
    this.#firstAt ??= now;
    const latest = this.#firstAt + this.#quietMs * 4;
    this.#cancel();
    this.#cancel = this.#clock.after(Math.max(0, Math.min(this.#quietMs, latest - now)), () => {
      this.#firstAt = undefined;
      this.#work();
    });
  }

  stop(): void {
    this.#cancel();
    this.#firstAt = undefined;
  }
}
