import type { ServiceInstance } from '@rookery/discovery';
import { hostAndPort, toTlsOptions, type TlsSettings } from '@rookery/discovery/adapter';
import { isIP } from 'node:net';
import { InstanceClient, type TcpConnectionOptions } from './instance-client.js';

/** One connection to each instance that is called; made by the first call, and closed when there are none. */
export class TcpConnections {
  readonly #options: TcpConnectionOptions;
  readonly #tlsTo: (instance: ServiceInstance) => TlsSettings | undefined;
  readonly #clients = new Map<string, InstanceClient>();
  /** They end with the calls that are under way. */
  readonly #retired = new Set<InstanceClient>();

  /** @param tlsTo how a connection is secured; undefined: it is not */
  constructor(options: TcpConnectionOptions, tlsTo: (instance: ServiceInstance) => TlsSettings | undefined) {
    this.#options = options;
    this.#tlsTo = tlsTo;
  }

  /** How many there are. */
  get size(): number {
    return this.#clients.size;
  }

  to(instance: ServiceInstance): InstanceClient {
    const address = hostAndPort(instance);
    // What the application says of TLS is for all instances.
    const tls = this.#options.tlsOptions ? undefined : this.#tlsTo(instance);
    const certificates = tls?.certificates?.current();
    const present = this.#clients.get(address);
    if (present?.isSecuredBy(tls, certificates) && !present.isRetired) return present;
    const { address: host } = instance;
    const tlsOptions = tls && {
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ...toTlsOptions(tls, certificates),
    };
    const options = { ...this.#options, ...(tlsOptions ? { tlsOptions } : {}) };
    const client: InstanceClient = new InstanceClient(instance, options, {
      ...{ tls, certificates },
      onClosed: () => {
        this.#retired.delete(client);
        if (this.#clients.get(address) === client) this.#clients.delete(address);
      },
    });
    this.#clients.set(address, client);
    // There are newer certificates, or it may be dead.
    if (present) this.#retire(present);
    return client;
  }

  close(): void {
    for (const client of [...this.#clients.values(), ...this.#retired]) client.close();
    this.#clients.clear();
    this.#retired.clear();
  }

  #retire(client: InstanceClient): void {
    this.#retired.add(client);
    client.retire();
  }
}
