import { Agent, Pool, type Dispatcher } from 'undici';
import { originOf, type ServiceInstance } from '../registry/service-instance.js';

const CONNECT_TIMEOUT_MS = 1_000;
const CONNECTIONS_PER_INSTANCE = 64; // more only queue on the peer; undici scans them one by one (performance.md, 1)
const OPTIONS = { connections: CONNECTIONS_PER_INSTANCE, connect: { timeout: CONNECT_TIMEOUT_MS } };

/** The pooled connections of all service clients of an app. */
export class HttpConnections {
  readonly #pools = new Map<string, Pool>();
  readonly #leaving = new Set<Pool>();
  readonly #others = new Agent(OPTIONS);

  /** To an instance, at its origin. */
  to(origin: string): Dispatcher {
    let pool = this.#pools.get(origin);
    if (!pool) this.#pools.set(origin, (pool = new Pool(origin, OPTIONS)));
    return pool;
  }

  /** To wherever a redirect leads. */
  get toOthers(): Dispatcher {
    return this.#others;
  }

  /** Nobody calls it for a while: what is under way is answered, then its connections are closed. */
  release(instance: ServiceInstance): void {
    const origin = originOf(instance);
    const pool = this.#pools.get(origin);
    if (!pool) return;
    this.#pools.delete(origin);
    this.#leaving.add(pool);
    // One that was destroyed in the meantime is as closed as it can be.
    pool
      .close()
      .catch(() => undefined)
      .finally(() => this.#leaving.delete(pool));
  }

  async close(): Promise<void> {
    const pools = [...this.#pools.values(), ...this.#leaving];
    this.#pools.clear();
    await Promise.all([this.#others.destroy(), ...pools.map((pool) => pool.destroy())]);
  }
}
