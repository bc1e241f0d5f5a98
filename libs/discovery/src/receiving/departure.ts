import type { CancelSignal } from '../timing/clock.js';

/** Tells that the client of a request went away. An `AbortSignal` for each request would cost more. */
export class Departure implements CancelSignal {
  #reason: Error | undefined;
  /** Few at a time, and many in turn: a Set would be rebuilt over and over. */
  #listeners: (() => void)[] = [];

  get aborted(): boolean {
    return this.#reason !== undefined;
  }

  get reason(): Error | undefined {
    return this.#reason;
  }

  leave(): void {
    if (this.#reason) return;
    this.#reason = new Error('the client of the incoming request went away');
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener();
  }

  addEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners.push(listener);
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    const at = this.#listeners.indexOf(listener);
    const last = this.#listeners.pop();
    if (at >= 0 && last && last !== listener) this.#listeners[at] = last;
    else if (at < 0 && last) this.#listeners.push(last);
  }
}
