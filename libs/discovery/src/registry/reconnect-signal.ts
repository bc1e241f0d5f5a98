import { Subject } from 'rxjs';

/**
 * Shared by all users of a registry: the first one that gets a response after an outage ends the backoff delays of the
 * others.
 */
export class ReconnectSignal {
  readonly #reconnected = new Subject<void>();

  /** Emits when the registry has answered after it had been failing. */
  readonly reconnected$ = this.#reconnected.asObservable();

  reconnected(): void {
    this.#reconnected.next();
  }
}
