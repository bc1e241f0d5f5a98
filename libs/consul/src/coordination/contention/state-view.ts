import type { Clock } from '@rookery/discovery/adapter';
import type { Subscription } from 'rxjs';
import type { Contest } from './contest.js';

/** The state of a contest, as its watch has it; watched from the first use until it is closed. */
export class StateView<State> {
  readonly #contest: Contest<State>;
  readonly #clock: Clock;
  #subscription: Subscription | undefined;
  #isFree = false;
  #wake: () => void = () => undefined;

  constructor(contest: Contest<State>, clock: Clock) {
    this.#contest = contest;
    this.#clock = clock;
  }

  /** False while it is not known. */
  get isFree(): boolean {
    return this.#isFree;
  }

  /** Resolves when it is free, when the signal aborts, and after the given time. */
  untilFree(maxMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        cancel();
        signal.removeEventListener('abort', end);
        this.#wake = () => undefined;
        resolve();
      };
      const cancel = this.#clock.after(maxMs, end);
      signal.addEventListener('abort', end, { once: true });
      this.#wake = end;
      this.#subscription ??= this.#contest.watch().subscribe((state) => {
        this.#isFree = this.#contest.isFree(state);
        if (this.#isFree) this.#wake();
      });
      if (signal.aborted || this.#isFree) end();
    });
  }

  close(): void {
    this.#subscription?.unsubscribe();
  }
}
