import type { CancelSignal } from '../timing/clock.js';

/** Tells that the client of a request went away. An `AbortSignal` for each request would cost more. */
export class Departure implements CancelSignal {
  #reason: Error | undefined;
  #listeners: Set<() => void> | undefined;

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
    this.#listeners = undefined;
    for (const listener of listeners ?? []) listener();
  }

  addEventListener(_type: 'abort', listener: () => void): void {
    (this.#listeners ??= new Set()).add(listener);
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners?.delete(listener);
  }
}
