import { Injectable, Logger } from '@nestjs/common';
import { Subject, type Observable } from 'rxjs';
import { NamesItsModule } from '../errors/provided-by.js';
import { errorMessage } from '../errors/error-message.js';
import type { DiscoveryEvent } from './discovery-event.js';
import { IsolatedObservable } from './isolated-observable.js';

/** An event, and when it happened: milliseconds since 1970. */
export type TimedDiscoveryEvent = DiscoveryEvent & { readonly timestamp: number };

/**
 * What happens to this app's registration and to the services it calls, as it happens. Events are not buffered: a late
 * subscriber has missed them. A subscriber that throws is logged, and does not affect the others.
 *
 * @example
 * ```ts
 * events.events$
 *   .pipe(filter(({ type }) => type === 'registration.lost'))
 *   .subscribe((event) => this.pager.alert(event));
 * ```
 */
@Injectable()
@NamesItsModule()
export class DiscoveryEvents {
  readonly #logger = new Logger('DiscoveryEvents');
  readonly #events = new Subject<TimedDiscoveryEvent>();

  readonly events$: Observable<TimedDiscoveryEvent> = new IsolatedObservable(this.#events, (error) =>
    this.#logger.error(`a subscriber of events$ threw: ${errorMessage(error)}`),
  );

  /** For the module's own parts. */
  emit(event: DiscoveryEvent): void {
    this.#events.next({ ...event, timestamp: Date.now() });
  }

  /** Completes `events$`: the app is closed. */
  close(): void {
    this.#events.complete();
  }
}
