import { nextIndex } from './consul-response.js';
import type { ConsulClient } from './consul-client.js';

/** The index to block on, and when to forget it: after a disconnect, and after an unexpected response. */
export class WatchPosition {
  readonly #client: Pick<ConsulClient, 'disconnects'>;
  #index: string | undefined;
  #disconnects: number;

  constructor(client: Pick<ConsulClient, 'disconnects'>) {
    this.#client = client;
    this.#disconnects = client.disconnects;
  }

  /** For the next query; undefined: it must not block. */
  get index(): string | undefined {
    // The agent may have restarted empty: a query with an index ahead of the agent's would sleep for its whole wait.
    if (this.#client.disconnects !== this.#disconnects) this.#index = undefined;
    this.#disconnects = this.#client.disconnects;
    return this.#index;
  }

  /** @param isEarly a blocking query returned before its time; with an unchanged index, the servers are shutting down */
  advance(index: string | undefined, isEarly: boolean): void {
    this.#index = isEarly && index === this.#index ? undefined : nextIndex(this.#index, index);
  }
}
