import { abortReason } from '@rookery/discovery/adapter';

/** Limits concurrent requests; further ones wait in order. A request's deadline starts when it leaves the queue. */
export class RequestQueue {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(concurrency: number) {
    this.#free = concurrency;
  }

  /** Resolves when the request may start; rejects with the signal's reason when it aborts first. */
  async acquire(signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted) throw abortReason(signal);
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const start = (): void => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      };
      const onAbort = (): void => {
        this.#waiting.delete(start);
        if (signal) reject(abortReason(signal));
      };
      this.#waiting.add(start);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** To be called once after each `acquire` that resolved. */
  release(): void {
    const [next] = this.#waiting;
    if (!next) {
      this.#free++;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
