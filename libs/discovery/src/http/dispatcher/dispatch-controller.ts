import type { Dispatcher } from 'undici';
import { abortReason, type CancelSignal } from '../../timing/clock.js';
import { Cancellation } from '../cancellation.js';

/** What a controller has of the attempt whose response is received. */
export interface ReceivedAttempt {
  readonly controller: Dispatcher.DispatchController;
  /** Hands on what has come of the response so far, until it is paused. */
  deliver(): void;
  /** Nothing more is handed on, but this reason. */
  breakOff(reason: Error): void;
}

/** Controls a request that may have several attempts: the one whose response is received, or else all of them. */
export class DispatchController implements Dispatcher.DispatchController {
  readonly signal = new Cancellation();
  readonly #departure: CancelSignal | undefined;
  #received: ReceivedAttempt | undefined;
  #reason: Error | null = null;
  #isPaused = false;

  /** @param departure aborts the request when the client of the incoming request goes away */
  constructor(departure: CancelSignal | undefined) {
    this.#departure = departure;
    departure?.addEventListener('abort', this.#leave);
  }

  /** From now on there is only this attempt. */
  receive(attempt: ReceivedAttempt): void {
    this.#received = attempt;
    if (this.#reason) attempt.breakOff(this.#reason);
    else attempt.deliver();
  }

  /** The request is over. */
  release(): void {
    this.#departure?.removeEventListener('abort', this.#leave);
  }

  /** For a departure that came before the request. */
  abortIfDeparted(): void {
    if (this.#departure?.aborted) this.#leave();
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
    return this.#received?.controller.rawHeaders ?? null;
  }

  get rawTrailers(): Dispatcher.DispatchController['rawTrailers'] {
    return this.#received?.controller.rawTrailers ?? null;
  }

  abort(reason: Error): void {
    if (this.#reason) return;
    this.#reason = reason;
    if (this.#received) this.#received.breakOff(reason);
    else this.signal.cancel();
  }

  pause(): void {
    this.#isPaused = true;
    this.#received?.controller.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#received?.deliver();
  }

  readonly #leave = (): void => {
    if (this.#departure) this.abort(abortReason(this.#departure));
  };
}
