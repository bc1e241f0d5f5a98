import { Injectable, Logger } from '@nestjs/common';
import { Subject, type Observable } from 'rxjs';
import { reasonOf } from '../errors/error-message.js';
import type { DiscoveryEvent } from './discovery-event.js';
import { IsolatedObservable } from './isolated-observable.js';

/** An event, and when it was: milliseconds since 1970. */
export type TimedDiscoveryEvent = DiscoveryEvent & { readonly at: number };

/**
 * What happens to this app's registration and to the services it looks for, as it happens. Nothing is kept: who
 * subscribes later has missed it. A subscriber that throws is logged, and harms nobody.
 *
 * @example
 * ```ts
 * events.events$
 *   .pipe(filter(({ type }) => type === 'registration.lost'))
 *   .subscribe((event) => this.pager.alert(event));
 * ```
 */
@Injectable()
export class DiscoveryEvents {
  readonly #logger = new Logger(DiscoveryEvents.name);
  readonly #events = new Subject<TimedDiscoveryEvent>();

  readonly events$: Observable<TimedDiscoveryEvent> = new IsolatedObservable(this.#events, (error) =>
    this.#logger.error(`a subscriber of events$ threw: ${reasonOf(error)}`),
  );

  /** For the module's own parts. */
  emit(event: DiscoveryEvent): void {
    this.#events.next({ ...event, at: Date.now() });
  }

  /** No more events: the app is closed. */
  close(): void {
    this.#events.complete();
  }
}
