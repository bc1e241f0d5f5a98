import type { Clock } from '../timing/clock.js';

export interface ReachabilityListener {
  readonly onUnreachable: (reason: string) => void;
  readonly onReachable: (afterMs: number) => void;
}

/**
 * Whether the registry answers, as the registrations and the watches of this app find: it is told once when the first of them gets no
 * answer, and once when all do again.
 */
export class RegistryReachability {
  readonly #clock: Clock;
  readonly #listener: ReachabilityListener;
  readonly #failing = new Set<object>();
  #since: number | undefined;

  constructor(clock: Clock, listener: ReachabilityListener) {
    this.#clock = clock;
    this.#listener = listener;
  }

  /** @param user what asked: a registration, or a watch */
  unreachable(user: object, reason: string): void {
    this.#failing.add(user);
    if (this.#since !== undefined) return;
    this.#since = this.#clock.now();
    this.#listener.onUnreachable(reason);
  }

  /** @returns whether it had been unreachable for this user */
  reachable(user: object): boolean {
    const wasFailing = this.#failing.delete(user);
    if (this.#failing.size === 0 && this.#since !== undefined) {
      const afterMs = this.#clock.now() - this.#since;
      this.#since = undefined;
      this.#listener.onReachable(afterMs);
    }
    return wasFailing;
  }

  /** The user no longer asks, so that its last answer says nothing; the next answer that another one gets does. */
  forget(user: object): void {
    this.#failing.delete(user);
  }
}
