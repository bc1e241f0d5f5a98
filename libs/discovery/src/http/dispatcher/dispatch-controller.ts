import type { Dispatcher } from 'undici';
import { Cancellation } from '../cancellation.js';

/** Controls a request that may have several attempts: the one whose response is received, or else all of them. */
export class DispatchController implements Dispatcher.DispatchController {
  readonly signal = new Cancellation();
  #received: Dispatcher.DispatchController | undefined;
  #reason: Error | null = null;
  #deliver: (() => void) | undefined;
  #isPaused = false;

  /**
   * From now on there is only this attempt.
   *
   * @param deliver hands on what has come of the response so far, until it is paused; called again when the receiver resumes
   */
  receive(controller: Dispatcher.DispatchController, deliver: () => void): void {
    this.#received = controller;
    this.#deliver = deliver;
    deliver();
  }

  get aborted(): boolean {
    return this.#reason !== null;
  }

  get reason(): Error | null {
    return this.#reason;
  }

  get paused(): boolean {
    return this.#isPaused;
  }

  get rawHeaders(): Dispatcher.DispatchController['rawHeaders'] {
    return this.#received?.rawHeaders ?? null;
  }

  get rawTrailers(): Dispatcher.DispatchController['rawTrailers'] {
    return this.#received?.rawTrailers ?? null;
  }

  abort(reason: Error): void {
    if (this.#reason) return;
    this.#reason = reason;
    if (this.#received) this.#received.abort(reason);
    else this.signal.cancel();
  }

  pause(): void {
    this.#isPaused = true;
    this.#received?.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#deliver?.();
  }
}
