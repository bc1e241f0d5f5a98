import type { Clock } from '../../timing/clock.js';
import type { Subscription } from 'rxjs';
import type { Contest } from './contest.js';

/** The state of a contest, as its watch has it; watched from the first use until it is closed. */
export class StateView<State> {
  readonly #contest: Contest<State>;
  readonly #clock: Clock;
  #subscription: Subscription | undefined;
  #state: { readonly value: State } | undefined;
  #look: () => void = () => undefined;

  constructor(contest: Contest<State>, clock: Clock) {
    this.#contest = contest;
    this.#clock = clock;
  }

  /** False while it is not known. */
  get isFree(): boolean {
    return this.#state !== undefined && this.#contest.isFree(this.#state.value);
  }

  /** Resolves when it is free, or given to the session; when the signal aborts, and after the given time. */
  untilFree(session: string | undefined, maxMs: number, signal: AbortSignal): Promise<void> {
    const isReady = (): boolean =>
      this.isFree ||
      (session !== undefined && this.#state !== undefined && this.#contest.holds(this.#state.value, session));
    return new Promise((resolve) => {
      const end = (): void => {
        cancel();
        signal.removeEventListener('abort', end);
        this.#look = () => undefined;
        resolve();
      };
      const cancel = this.#clock.after(maxMs, end);
      signal.addEventListener('abort', end, { once: true });
      this.#look = () => {
        if (isReady()) end();
      };
      this.#subscription ??= this.#contest.watch().subscribe((state) => {
        this.#state = { value: state };
        this.#look();
      });
      if (signal.aborted) end();
      else this.#look();
    });
  }

  close(): void {
    this.#subscription?.unsubscribe();
  }
}
