import { Injectable, Logger } from '@nestjs/common';
import { Subject, type Observable } from 'rxjs';
import { NamesItsModule } from '../errors/provided-by.js';
import { errorMessage } from '../errors/error-message.js';
import type { DiscoveryEvent, TimedDiscoveryEvent } from './discovery-event.js';
import { EventHistory } from './event-history.js';
import { IsolatedObservable } from './isolated-observable.js';

/** How many events are kept, unless the app says otherwise. */
export const DEFAULT_HISTORY = 1_000;

/**
 * What happens to this app's registration and to the services it calls, as it happens. A late subscriber has missed what happened
 * before: `history` has the last events. A subscriber that throws is logged, and does not affect the others.
 *
 * @example
 * ```ts
 * events.events$
 *   .pipe(filter(({ type }) => type === 'registration.lost'))
 *   .subscribe((event) => show(event));
 * ```
 */
@Injectable()
@NamesItsModule()
export class DiscoveryEvents {
  readonly #logger = new Logger('DiscoveryEvents');
  readonly #events = new Subject<TimedDiscoveryEvent>();
  readonly #history: EventHistory;
  #sequence = 0;

  readonly events$: Observable<TimedDiscoveryEvent> = new IsolatedObservable(this.#events, (error) =>
    this.#logger.error(`a subscriber of events$ threw: ${errorMessage(error)}`),
  );

  /** @param history how many events are kept. Default: 1,000 */
  constructor(history = DEFAULT_HISTORY) {
    this.#history = new EventHistory(history);
  }

  /** The last events, oldest first: 1,000, or as many as `events.history` says. */
  get history(): readonly TimedDiscoveryEvent[] {
    return this.#history.all;
  }

  /** For the module's own parts. */
  emit(event: DiscoveryEvent): void {
    const timed = { ...event, timestamp: Date.now(), sequence: ++this.#sequence };
    this.#history.add(timed);
    this.#events.next(timed);
  }

  /** Completes `events$`: the app is closed. */
  close(): void {
    this.#events.complete();
  }
}
