import { settle, type FakeClock } from './fake-clock.js';

/** A request that waits until the test answers it, or its signal aborts. */
export interface HeldRequest<Answer extends readonly unknown[]> {
  readonly at: number;
  /** What was asked for, such as a service. */
  readonly name: string;
  /** Without its signal. */
  readonly options: Readonly<Record<string, unknown>>;
  answer(...answer: Answer): Promise<void>;
  fail(error: Error): Promise<void>;
}

/** In place of a method of a client that asks an agent: the test decides when, and with what, each request is answered. */
export class HeldRequests<Answer extends readonly unknown[] = [response: unknown]> {
  readonly all: HeldRequest<Answer>[] = [];
  readonly #clock: FakeClock;
  readonly #toResponse: (...answer: Answer) => unknown;

  constructor(clock: FakeClock, toResponse: (...answer: Answer) => unknown) {
    this.#clock = clock;
    this.#toResponse = toResponse;
  }

  readonly ask = (name: string, { signal, ...options }: { signal?: AbortSignal }): Promise<unknown> =>
    new Promise((resolve, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      this.all.push({
        ...{ at: this.#clock.now(), name, options },
        answer: async (...answer) => {
          resolve(this.#toResponse(...answer));
          await settle();
        },
        fail: async (error) => {
          reject(error);
          await settle();
        },
      });
    });

  get last(): HeldRequest<Answer> {
    const last = this.all.at(-1);
    if (!last) throw new Error('nothing was asked for');
    return last;
  }
}
