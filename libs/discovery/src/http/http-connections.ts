import { Agent, interceptors, type Dispatcher } from 'undici';

const CONNECT_TIMEOUT_MS = 1_000;
const CONNECTIONS_PER_INSTANCE = 64; // more only queue on the peer; undici scans them one by one (performance.md, 1)
const REDIRECTS = 5; // as many as axios follows

/** The pooled connections of all service clients of an app. */
export class HttpConnections {
  readonly #agent = new Agent({
    connections: CONNECTIONS_PER_INSTANCE,
    connect: { timeout: CONNECT_TIMEOUT_MS },
  });
  readonly #redirecting = this.#agent.compose(interceptors.redirect({ maxRedirections: REDIRECTS }));

  /** For a request of so many redirects at most; undefined: the default. */
  dispatcher(maxRedirects: number | undefined): Dispatcher {
    return maxRedirects === 0 ? this.#agent : this.#redirecting;
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}
