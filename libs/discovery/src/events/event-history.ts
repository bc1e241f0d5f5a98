import type { TimedDiscoveryEvent } from './discovery-event.js';

/** The last events, in a ring: an event costs no more with a long history than with a short one. */
export class EventHistory {
  readonly #size: number;
  readonly #events: TimedDiscoveryEvent[] = [];
  #oldest = 0;

  /** @param size the most events that are kept */
  constructor(size: number) {
    this.#size = size;
  }

  add(event: TimedDiscoveryEvent): void {
    if (this.#size === 0) return;
    if (this.#events.length < this.#size) {
      this.#events.push(event);
      return;
    }
    this.#events[this.#oldest] = event;
    this.#oldest = (this.#oldest + 1) % this.#size;
  }

  /** Oldest first. */
  get all(): readonly TimedDiscoveryEvent[] {
    return [...this.#events.slice(this.#oldest), ...this.#events.slice(0, this.#oldest)];
  }
}
