import type { PeerCertificate } from 'node:tls';
import type { ServiceInstance } from '../registry/service-instance.js';
import type { CertificateSource } from './certificate-source.js';
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
  /** The certificate that servers of this app show, and the authorities that they trust. */
  readonly identity: ChangingCertificates;
  /**
   * Whether a caller may call this app now: to be asked for each call, by a certificate that an authority of `identity` has signed.
   *
   * @returns why it may not; undefined: it may
   */
  denied(certificate: PeerCertificate | undefined): string | undefined;
}

/** A source that says when there are other certificates. */
export interface ChangingCertificates extends CertificateSource {
  /** @returns ends it */
  onChange(listener: () => void): () => void;
}
