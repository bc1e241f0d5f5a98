import type { Clock } from './clock.js';

/** A callback that runs at its time unless it is cancelled before. */
export interface Deadline {
  cancel(): void;
}

class Entry implements Deadline {
  readonly at: number;
  callback: (() => void) | undefined;
  readonly #slot: Set<Entry>;
  readonly #onCancel: () => void;

  constructor(at: number, callback: () => void, slot: Set<Entry>, onCancel: () => void) {
    this.at = at;
    this.callback = callback;
    this.#slot = slot;
    this.#onCancel = onCancel;
    slot.add(this);
  }

  cancel(): void {
    if (!this.callback) return;
    this.callback = undefined;
    this.#slot.delete(this);
    this.#onCancel();
  }
}

const TICK_MS = 10;
const MAX_DELAY_MS = 100;

/**
 * The deadlines of many calls at the cost of one timer. Nearly all of them are cancelled, so setting and cancelling must
 * be cheap, while being late by up to 10 ms does not matter. A callback is early by a millisecond at most, as timers of
 * Node are. Source: Varghese, Lauck, "Hashed and Hierarchical Timing Wheels", SOSP 1987; here a slot for each 10 ms in use.
 */
export class TimerWheel {
  readonly #clock: Clock;
  readonly #slots = new Map<number, Set<Entry>>();
  #size = 0;
  #armedFor = Infinity;
  #disarm: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The number of deadlines that are set. */
  get size(): number {
    return this.#size;
  }

  after(milliseconds: number, callback: () => void): Deadline {
    return this.at(this.#clock.now() + milliseconds, callback);
  }

  /** @param at by the clock */
  at(at: number, callback: () => void): Deadline {
    const tick = Math.ceil(at / TICK_MS);
    let slot = this.#slots.get(tick);
    if (!slot) this.#slots.set(tick, (slot = new Set()));
    this.#size++;
    const entry = new Entry(at, callback, slot, this.#onCancel);
    if (tick < this.#armedFor) this.#arm(tick);
    return entry;
  }

  /** No more deadlines will be set: the timer is not left for one. Those that are set stay. */
  close(): void {
    if (this.#size > 0) return;
    this.#disarm?.();
    this.#disarm = undefined;
    this.#armedFor = Infinity;
  }

  readonly #onCancel = (): void => {
    // The timer stays armed: re-arming it for each call is the cost that the wheel avoids.
    if (--this.#size === 0) this.#slots.clear();
  };

  /** Never for long, so that a timer that nothing waits for any more does not keep the process alive. */
  #arm(tick: number): void {
    this.#disarm?.();
    this.#armedFor = tick;
    const delayMs = Math.min(MAX_DELAY_MS, tick * TICK_MS - this.#clock.now());
    this.#disarm = this.#clock.after(Math.max(0, delayMs), () => this.#fire());
  }

  #fire(): void {
    this.#disarm = undefined;
    this.#armedFor = Infinity;
    const now = this.#clock.now();
    const due: Entry[] = [];
    let next = Infinity;
    for (const [tick, slot] of this.#slots) {
      // A timer of Node may be early by a fraction of a millisecond.
      if (tick * TICK_MS <= now + 1) {
        due.push(...slot);
        this.#slots.delete(tick);
      } else if (slot.size === 0) this.#slots.delete(tick);
      else next = Math.min(next, tick);
    }
    if (next < Infinity) this.#arm(next);
    const thrown: unknown[] = [];
    for (const entry of due.sort((a, b) => a.at - b.at)) {
      const { callback } = entry;
      // The callback of an earlier entry may have cancelled this one.
      entry.cancel();
      try {
        callback?.();
      } catch (error) {
        // The remaining entries are due as well, and are no longer in any slot.
        thrown.push(error);
      }
    }
    if (thrown.length > 0) throw thrown[0];
  }
}
