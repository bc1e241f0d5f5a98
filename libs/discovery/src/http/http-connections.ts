import { Agent, Pool, type Dispatcher } from 'undici';
import { originOf, type ServiceInstance } from '../registry/service-instance.js';

const CONNECT_TIMEOUT_MS = 1_000;
const CONNECTIONS_PER_INSTANCE = 64; // further ones only queue at the peer, and undici searches its connections one by one
const OPTIONS = { connections: CONNECTIONS_PER_INSTANCE, connect: { timeout: CONNECT_TIMEOUT_MS } };

/** The connection pools of all service clients of an app. */
export class HttpConnections {
  readonly #pools = new Map<string, Pool>();
  readonly #closing = new Set<Pool>();
  readonly #external = new Agent(OPTIONS);

  /** The pool for the origin of an instance. */
  to(origin: string): Dispatcher {
    let pool = this.#pools.get(origin);
    if (!pool) this.#pools.set(origin, (pool = new Pool(origin, OPTIONS)));
    return pool;
  }

  /** For the targets of redirects. */
  get toExternal(): Dispatcher {
    return this.#external;
  }

  /** The instance takes no calls for a while: its connections are closed when their requests are answered. */
  release(instance: ServiceInstance): void {
    const origin = originOf(instance);
    const pool = this.#pools.get(origin);
    if (!pool) return;
    this.#pools.delete(origin);
    this.#closing.add(pool);
    // It rejects when the pool was destroyed in the meantime.
    pool
      .close()
      .catch(() => undefined)
      .finally(() => this.#closing.delete(pool));
  }

  async close(): Promise<void> {
    const pools = [...this.#pools.values(), ...this.#closing];
    this.#pools.clear();
    await Promise.all([this.#external.destroy(), ...pools.map((pool) => pool.destroy())]);
  }
}
