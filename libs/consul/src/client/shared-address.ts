import { abortReason } from '@rookery/discovery/adapter';
import type { Transport, TransportCall, TransportResponse } from './consul-transport.js';
import { ConsulError } from './consul-error.js';

/** The path of a registration, or a check, that one agent has and the others do not. */
const AGENT_LOCAL = /^\/v1\/agent\/(service|check|health\/service)\//;
/** A round robin over four agents leads to each of them; a random choice of two to the other one with 94 %. */
const MAX_CONNECTIONS = 4;

/**
 * One agent, or, by mistake, several behind one address: a load balancer that distributes connections. An agent knows only what
 * was registered with it, so that a registration that is not found is asked for again over new connections before it is lost.
 */
export class SharedAddress implements Transport {
  readonly #pooled: Transport;
  readonly #openConnection: () => Transport;
  readonly #opened = new Set<Transport>();
  #hasSeveralAgents = false;
  #isClosed = false;

  /** @param openConnection opens a transport with a connection of its own */
  constructor(pooled: Transport, openConnection: () => Transport) {
    this.#pooled = pooled;
    this.#openConnection = openConnection;
  }

  get url(): string {
    return this.#pooled.url;
  }

  get budget(): Transport['budget'] {
    return this.#pooled.budget;
  }

  get disconnects(): number {
    return this.#pooled.disconnects;
  }

  /** An agent did not have what another one has. */
  get hasSeveralAgents(): boolean {
    return this.#hasSeveralAgents;
  }

  async send(call: TransportCall): Promise<TransportResponse> {
    try {
      return await this.#pooled.send(call);
    } catch (error) {
      if (!isNotFound(error) || !AGENT_LOCAL.test(call.path)) throw error;
      // Where no further connection can be opened, the answer of this one holds.
      const search = this.onEachConnection((agent) => agent.send(call));
      const response = await search.catch(() => undefined);
      if (call.signal?.aborted) throw abortReason(call.signal);
      if (response === undefined) throw error;
      this.#hasSeveralAgents = true;
      return response;
    }
  }

  /** Tries new connections, one after the other, until one leads to an agent that does not answer *not found*. */
  async onEachConnection<T>(work: (agent: Transport) => Promise<T>): Promise<T | undefined> {
    for (let connections = 0; connections < MAX_CONNECTIONS && !this.#isClosed; connections++) {
      const agent = this.#openConnection();
      this.#opened.add(agent);
      try {
        return await work(agent);
      } catch (error) {
        if (!isNotFound(error)) throw error;
      } finally {
        this.#opened.delete(agent);
        await agent.close();
      }
    }
    return undefined;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([this.#pooled, ...this.#opened].map((agent) => agent.close()));
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof ConsulError && error.code === 'RK_NOT_FOUND';
}
