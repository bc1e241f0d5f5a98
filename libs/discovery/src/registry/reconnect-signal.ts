import { Subject } from 'rxjs';

/**
 * What one user of the registry learns, all of them know: the first one that gets an answer after an outage ends the
 * pauses of the others.
 */
export class Reachability {
  readonly #answered = new Subject<void>();

  /** Emits when the registry has answered somebody who had been failing. */
  readonly answered$ = this.#answered.asObservable();

  answered(): void {
    this.#answered.next();
  }
}
