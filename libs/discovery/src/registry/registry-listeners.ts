import { Logger } from '@nestjs/common';
import { errorMessage } from '../errors/error-message.js';

/** Those that hear what a registry tells, such as its requests. One that throws must not make a request fail. */
export class RegistryListeners<T> {
  readonly #logger: Logger;
  readonly #listeners = new Set<(told: T) => void>();
  #hasWarned = false;

  /** @param client of the registry, for the log */
  constructor(client: string) {
    this.#logger = new Logger(client);
  }

  get isObserved(): boolean {
    return this.#listeners.size > 0;
  }

  /** @returns removes it */
  add(listener: (told: T) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  tell(told: T): void {
    for (const listener of this.#listeners) {
      try {
        listener(told);
      } catch (error) {
        if (!this.#hasWarned) this.#logger.warn(`a listener threw: ${errorMessage(error)}`);
        this.#hasWarned = true;
      }
    }
  }
}
