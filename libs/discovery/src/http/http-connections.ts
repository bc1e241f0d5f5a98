import { Agent, buildConnector, Pool, type Dispatcher } from 'undici';
import { originOf, type ServiceInstance } from '../registry/service-instance.js';
import { skipContinue } from './skip-continue.js';

const CONNECT_TIMEOUT_MS = 1_000;
/** More only queue at the peer, and undici searches its connections one by one. */
const CONNECTIONS_PER_INSTANCE = 64;

const connector = buildConnector({ timeout: CONNECT_TIMEOUT_MS });
const OPTIONS = {
  connections: CONNECTIONS_PER_INSTANCE,
  connect: (options: buildConnector.Options, done: buildConnector.Callback): void =>
    connector(options, (...result) => {
      const [, socket] = result;
      if (socket) skipContinue(socket);
      done(...result);
    }),
};

/** The connections to one instance. */
export class InstanceConnections {
  readonly origin: string;
  readonly pool: Pool;

  constructor(origin: string) {
    this.origin = origin;
    this.pool = new Pool(origin, OPTIONS);
  }

  /** Requests wait for a connection because others, such as open response streams, have all of them. */
  get areInUse(): boolean {
    const { connected, queued } = this.pool.stats;
    return queued > 0 && connected >= CONNECTIONS_PER_INSTANCE;
  }
}

/** Instances are immutable, and many calls go to each. */
const origins = new WeakMap<ServiceInstance, string>();

function knownOrigin(instance: ServiceInstance): string {
  let origin = origins.get(instance);
  if (origin === undefined) origins.set(instance, (origin = originOf(instance)));
  return origin;
}

/** The connection pools of all service clients of an app. */
export class HttpConnections {
  readonly #instances = new Map<string, InstanceConnections>();
  readonly #closing = new Set<Pool>();
  readonly #external = new Agent(OPTIONS);

  to(instance: ServiceInstance): InstanceConnections {
    const origin = knownOrigin(instance);
    let connections = this.#instances.get(origin);
    if (!connections) this.#instances.set(origin, (connections = new InstanceConnections(origin)));
    return connections;
  }

  /** For the targets of redirects. */
  get toExternal(): Dispatcher {
    return this.#external;
  }

  /** The instance takes no calls for a while: its connections are closed when their requests are answered. */
  release(instance: ServiceInstance): void {
    const origin = originOf(instance);
    const pool = this.#instances.get(origin)?.pool;
    if (!pool) return;
    this.#instances.delete(origin);
    this.#closing.add(pool);
    // It rejects when the pool was destroyed in the meantime.
    pool
      .close()
      .catch(() => undefined)
      .finally(() => this.#closing.delete(pool));
  }

  async close(): Promise<void> {
    const pools = [...[...this.#instances.values()].map(({ pool }) => pool), ...this.#closing];
    this.#instances.clear();
    await Promise.all([this.#external.destroy(), ...pools.map((pool) => pool.destroy())]);
  }
}
