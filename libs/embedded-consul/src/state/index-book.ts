/**
 * Consul's counter of changes, and the listeners of each topic. A topic is something that can change, such as `service:web`;
 * its index is that of its last change.
 */
export class IndexBook {
  #last: number;
  readonly #topics = new Map<string, number>();
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(first = 1) {
    this.#last = first;
  }

  get last(): number {
    return this.#last;
  }

  /** The index of the next change; it takes effect with `changed`. */
  next(): number {
    return ++this.#last;
  }

  /** 0: never changed. */
  of(...topics: string[]): number {
    return Math.max(0, ...topics.map((topic) => this.#topics.get(topic) ?? 0));
  }

  /** Marks topics as changed at this index, and notifies their listeners. */
  changed(index: number, topics: Iterable<string>): void {
    const woken = new Set<() => void>();
    for (const topic of topics) {
      this.#topics.set(topic, index);
      for (const wake of this.#waiting.get(topic) ?? []) woken.add(wake);
    }
    for (const wake of woken) wake();
  }

  forget(topic: string): void {
    this.#topics.delete(topic);
  }

  /** Calls back after each change of one of these topics, until the returned function is called. */
  watch(topics: readonly string[], wake: () => void): () => void {
    for (const topic of topics) {
      const waiting = this.#waiting.get(topic) ?? new Set();
      waiting.add(wake);
      this.#waiting.set(topic, waiting);
    }
    return () => {
      for (const topic of topics) {
        const waiting = this.#waiting.get(topic);
        waiting?.delete(wake);
        if (waiting?.size === 0) this.#waiting.delete(topic);
      }
    };
  }

  /** Notifies all listeners: the agent stops, or has lost its state. */
  wakeAll(): void {
    for (const wake of new Set([...this.#waiting.values()].flatMap((waiting) => [...waiting]))) wake();
  }

  /** Clears everything, and the counter starts over, as after a restart without data. */
  reset(first = 1): void {
    this.#last = first;
    this.#topics.clear();
    this.wakeAll();
  }

  get waiters(): number {
    return new Set([...this.#waiting.values()].flatMap((waiting) => [...waiting])).size;
  }
}
