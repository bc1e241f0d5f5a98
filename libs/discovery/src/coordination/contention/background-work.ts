/** Work that nothing waits for, except the end of the app. */
export class BackgroundWork {
  readonly #running = new Set<Promise<void>>();

  /** @param work never rejects */
  add(work: Promise<void>): void {
    const tracked = work.finally(() => this.#running.delete(tracked));
    this.#running.add(tracked);
  }

  async settled(): Promise<void> {
    // Work may add more when it ends.
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}
