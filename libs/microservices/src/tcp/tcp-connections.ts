import type { ServiceInstance } from '@rookery/discovery';
import { hostAndPort } from '@rookery/discovery/adapter';
import { InstanceClient, type TcpConnectionOptions } from './instance-client.js';

/** One connection to each instance that is called; made by the first call, and closed when there are none. */
export class TcpConnections {
  readonly #options: TcpConnectionOptions;
  readonly #clients = new Map<string, InstanceClient>();

  constructor(options: TcpConnectionOptions) {
    this.#options = options;
  }

  /** How many there are. */
  get size(): number {
    return this.#clients.size;
  }

  to(instance: ServiceInstance): InstanceClient {
    const address = hostAndPort(instance);
    let client = this.#clients.get(address);
    if (!client) {
      const opened: InstanceClient = new InstanceClient(instance, this.#options, () => {
        if (this.#clients.get(address) === opened) this.#clients.delete(address);
      });
      client = opened;
      this.#clients.set(address, client);
    }
    return client;
  }

  close(): void {
    for (const client of [...this.#clients.values()]) client.close();
    this.#clients.clear();
  }
}
