import type { ConsulClient } from '../client/consul-client.js';
import { nextIndex } from '../client/consul-response.js';

/** The index to block on, and when to forget it: it never outlives a connection that ended, nor an odd answer. */
export class WatchPosition {
  readonly #client: Pick<ConsulClient, 'lostConnections'>;
  #index: string | undefined;
  #lost: number;

  constructor(client: Pick<ConsulClient, 'lostConnections'>) {
    this.#client = client;
    this.#lost = client.lostConnections;
  }

  /** For the next question; undefined: ask without blocking. */
  get index(): string | undefined {
    // The agent may have been restarted empty: a query with an index that lies ahead of it sleeps for its whole wait.
    if (this.#client.lostConnections !== this.#lost) this.#index = undefined;
    this.#lost = this.#client.lostConnections;
    return this.#index;
  }

  /** `early`: a blocking query came back before its time. With nothing new, the servers behind it are going down. */
  heard(index: string | undefined, early: boolean): void {
    this.#index = early && index === this.#index ? undefined : nextIndex(this.#index, index);
  }
}
