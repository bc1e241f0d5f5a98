import type { Dispatcher } from 'undici';
import { Cancellation } from '../cancellation.js';

/** Controls a request that may have several attempts: the one whose response is received, or else all of them. */
export class DispatchController implements Dispatcher.DispatchController {
  readonly signal = new Cancellation();
  #received: Dispatcher.DispatchController | undefined;
  #reason: Error | null = null;
  /** While the head is delivered. */
  #isHeld = false;
  #isPaused = false;

  /**
   * From now on there is only this attempt, whose response is paused.
   *
   * @param deliver the head of the response. Its data follows, unless the receiver of the head pauses it
   */
  receive(controller: Dispatcher.DispatchController, deliver: () => void): void {
    this.#received = controller;
    this.#isHeld = true;
    try {
      deliver();
    } finally {
      this.#isHeld = false;
      if (!this.#isPaused) controller.resume();
    }
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
    if (!this.#isHeld) this.#received?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    if (!this.#isHeld) this.#received?.resume();
  }
}
