import type { DiscoveryEvents } from './discovery-events.js';
import type { Clock } from '../timing/clock.js';

/**
 * Whether the registry answers, as the registrations and the watches of this app find: one event when the first of them gets no
 * answer, and one when all do again.
 */
export class RegistryReachability {
  readonly #events: DiscoveryEvents;
  readonly #clock: Clock;
  readonly #failing = new Set<object>();
  #since: number | undefined;

  constructor(events: DiscoveryEvents, clock: Clock) {
    this.#events = events;
    this.#clock = clock;
  }

  /** @param user who asked: a registration, or a watch */
  unreachable(user: object, reason: string): void {
    this.#failing.add(user);
    if (this.#since !== undefined) return;
    this.#since = this.#clock.now();
    this.#events.emit({ type: 'registry.unreachable', reason });
  }

  /** @returns whether it had been unreachable for this user */
  reachable(user: object): boolean {
    const wasFailing = this.#failing.delete(user);
    if (wasFailing && this.#failing.size === 0 && this.#since !== undefined) {
      const afterMs = this.#clock.now() - this.#since;
      this.#since = undefined;
      this.#events.emit({ type: 'registry.reachable', afterMs });
    }
    return wasFailing;
  }

  /** The user no longer asks, so that its last answer says nothing. */
  forget(user: object): void {
    this.#failing.delete(user);
    if (this.#failing.size === 0) this.#since = undefined;
  }
}
