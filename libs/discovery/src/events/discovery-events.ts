import { Injectable } from '@nestjs/common';
import { Subject, type Observable } from 'rxjs';
import type { DiscoveryEvent } from './discovery-event.js';

/** An event, and when it was: milliseconds since 1970. */
export type TimedDiscoveryEvent = DiscoveryEvent & { readonly at: number };

/**
 * What happens to this app's registration, as it happens. Nothing is kept: who subscribes later has missed it.
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
  readonly #events = new Subject<TimedDiscoveryEvent>();

  readonly events$: Observable<TimedDiscoveryEvent> = this.#events.asObservable();

  /** For the module's own parts. */
  emit(event: DiscoveryEvent): void {
    this.#events.next({ ...event, at: Date.now() });
  }

  /** No more events: the app is closed. */
  close(): void {
    this.#events.complete();
  }
}
