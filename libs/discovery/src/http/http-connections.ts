import { Agent, type Dispatcher } from 'undici';

const CONNECT_TIMEOUT_MS = 1_000;
const CONNECTIONS_PER_INSTANCE = 64; // more only queue on the peer; undici scans them one by one (performance.md, 1)

/** The pooled connections of all service clients of an app. */
export class HttpConnections {
  readonly #agent = new Agent({
    connections: CONNECTIONS_PER_INSTANCE,
    connect: { timeout: CONNECT_TIMEOUT_MS },
  });

  get dispatcher(): Dispatcher {
    return this.#agent;
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}
