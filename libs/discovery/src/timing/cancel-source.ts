import type { CancelSignal } from './clock.js';

type Listener = (reason: Error) => void;

/** A signal that is aborted here. An `AbortSignal` for each request would cost more than all else on its path. */
export class CancelSource implements CancelSignal {
  #reason: Error | undefined;
  /** Few at a time, and many in turn: a Set would be rebuilt over and over. */
  #listeners: Listener[] | undefined;

  get aborted(): boolean {
    return this.#reason !== undefined;
  }

  get reason(): Error | undefined {
    return this.#reason;
  }

  abort(reason: Error): void {
    if (this.#reason) return;
    this.#reason = reason;
    const listeners = this.#listeners ?? [];
    this.#listeners = undefined;
    for (const listener of listeners) listener(reason);
  }

  addEventListener(_type: 'abort', listener: Listener): void {
    (this.#listeners ??= []).push(listener);
  }

  removeEventListener(_type: 'abort', listener: Listener): void {
    const listeners = this.#listeners;
    const at = listeners?.indexOf(listener) ?? -1;
    if (!listeners || at < 0) return;
    const last = listeners.pop();
    if (last && at < listeners.length) listeners[at] = last;
  }
}
