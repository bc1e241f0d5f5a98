import type { Clock } from '../../timing/clock.js';

export interface RefusalListener {
  readonly onBegin: () => void;
  readonly onEnd: () => void;
}

/** A limit refuses some calls and admits the next ones for as long as there is too much load: that is one state, not many. */
const QUIET_MS = 5_000;

/** Makes a state of single refusals: it begins with the first one, and ends when there was none for five seconds. */
export class RefusalState {
  readonly #clock: Clock;
  readonly #listener: RefusalListener;
  #lastAt = -Infinity;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, listener: RefusalListener) {
    this.#clock = clock;
    this.#listener = listener;
  }

  refused(): void {
    this.#lastAt = this.#clock.now();
    if (this.#cancel) return;
    this.#await(QUIET_MS);
    this.#listener.onBegin();
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #await(milliseconds: number): void {
    this.#cancel = this.#clock.after(milliseconds, () => {
      const remaining = this.#lastAt + QUIET_MS - this.#clock.now();
      if (remaining > 0) {
        this.#await(remaining);
        return;
      }
      this.#cancel = undefined;
      this.#listener.onEnd();
    });
  }
}
