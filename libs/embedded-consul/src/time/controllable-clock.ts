interface Timer {
  due: number;
  readonly callback: () => void;
  handle: NodeJS.Timeout | undefined;
}

/** The longest that a timer of Node waits. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** A real-time clock that a test can advance: timers that become due run in order. */
export class ControllableClock {
  #offset = 0;
  readonly #timers = new Set<Timer>();

  /** Milliseconds; only differences are meaningful. */
  now(): number {
    return performance.now() + this.#offset;
  }

  /** Calls back once after this many milliseconds, unless the returned function was called before. */
  after(milliseconds: number, callback: () => void): () => void {
    const timer: Timer = { due: this.now() + milliseconds, callback, handle: undefined };
    this.#timers.add(timer);
    this.#arm(timer);
    return () => this.#drop(timer);
  }

  /** Advances the time at once. */
  advance(milliseconds: number): void {
    const end = this.now() + milliseconds;
    for (;;) {
      const next = [...this.#timers].sort((a, b) => a.due - b.due)[0];
      if (!next || next.due > end) break;
      this.#offset += Math.max(0, next.due - this.now());
      this.#fire(next);
    }
    this.#offset += Math.max(0, end - this.now());
    for (const timer of this.#timers) this.#arm(timer);
  }

  /** Drops every timer. */
  stop(): void {
    for (const timer of [...this.#timers]) this.#drop(timer);
  }

  #arm(timer: Timer): void {
    clearTimeout(timer.handle);
    const waitMs = Math.max(0, timer.due - this.now());
    // A longer one would fire at once.
    if (waitMs > MAX_TIMEOUT_MS) timer.handle = setTimeout(() => this.#arm(timer), MAX_TIMEOUT_MS);
    else timer.handle = setTimeout(() => this.#fire(timer), waitMs);
  }

  #fire(timer: Timer): void {
    this.#drop(timer);
    timer.callback();
  }

  #drop(timer: Timer): void {
    clearTimeout(timer.handle);
    this.#timers.delete(timer);
  }
}
