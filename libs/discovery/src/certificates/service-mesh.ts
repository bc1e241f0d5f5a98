import type { ServiceInstance } from '../registry/service-instance.js';
import type { TlsSettings } from './tls-settings.js';

/** Mutual TLS with certificates that name services in place of hosts, as those of Consul Connect do. */
export interface ServiceMesh {
  /**
   * How connections to an instance are secured: the same object for as long as instances are to share them.
   *
   * @returns undefined: the instance is not part of the mesh, and `clients.tls` applies
   */
  tlsFor(instance: ServiceInstance): TlsSettings | undefined;
  /**
   * Where the registry, which has no certificate of the mesh, asks for the health of this app.
   *
   * @param host that the app listens on; undefined: all interfaces
   * @returns the port of a plain HTTP server that has the health endpoints only; undefined: the app's own server has them
   */
  checkPort(host: string | undefined): Promise<number | undefined>;
}
