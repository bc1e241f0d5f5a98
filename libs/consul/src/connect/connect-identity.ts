import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { Certificates } from '@rookery/discovery';
import { Secret, type ChangingCertificates } from '@rookery/discovery/adapter';
import type { ConnectLeaf, ConnectRoots } from '../client/api/types.js';
import { parseSpiffeId } from './spiffe-id.js';

/** Nothing is trusted, and nothing is shown. */
const NONE: Certificates = { ca: [] };

/** The identity of this app: the certificate of its service, and the authorities that sign those of all services. */
export class ConnectIdentity implements ChangingCertificates {
  readonly #today: () => number;
  #certificates = NONE;
  #roots: ConnectRoots | undefined;
  #leaf: ConnectLeaf | undefined;
  readonly #listeners = new Set<() => void>();

  /** @param today the time of this host, in milliseconds since the epoch */
  constructor(today: () => number = Date.now) {
    this.#today = today;
  }

  current(): Certificates {
    return this.#certificates;
  }

  /** The host of the URIs of the certificates that are accepted. Undefined: it is not known yet. */
  get trustDomain(): string | undefined {
    return this.#roots?.TrustDomain.toLowerCase();
  }

  /** Undefined: there is no certificate yet. */
  get uri(): string | undefined {
    return this.isComplete ? this.#leaf?.ServiceURI : undefined;
  }

  /** By the clock of this host, in milliseconds since the epoch. */
  get validUntil(): number | undefined {
    return this.#leaf && Date.parse(this.#leaf.ValidBefore);
  }

  get isComplete(): boolean {
    return this.#certificates !== NONE;
  }

  /** It has a certificate that others accept at present. */
  get isValid(): boolean {
    return this.isComplete && (this.validUntil ?? 0) > this.#today();
  }

  /** @throws Error for what is no answer of Consul, or cannot be used: what there was stays in use */
  setRoots(roots: ConnectRoots): void {
    if (typeof roots.TrustDomain !== 'string' || roots.TrustDomain === '' || !Array.isArray(roots.Roots))
      throw new Error('the authorities of Consul Connect have no trust domain, or no list');
    // A TLS context leaves out what is none, and would trust the others only.
    for (const { RootCert } of roots.Roots) new X509Certificate(RootCert);
    this.#use(roots, this.#leaf);
  }

  /** @throws Error as `setRoots` */
  setLeaf(leaf: ConnectLeaf): void {
    if (parseSpiffeId(leaf.ServiceURI) === undefined || !Number.isFinite(Date.parse(leaf.ValidBefore)))
      throw new Error('the certificate of Consul Connect names no service, or does not say when it ends');
    this.#use(this.#roots, leaf);
  }

  /** Calls back when the certificates have changed. @returns ends it */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #use(roots: ConnectRoots | undefined, leaf: ConnectLeaf | undefined): void {
    const ca = (roots?.Roots ?? []).map(({ RootCert }) => RootCert);
    const cert = leaf?.CertPEM;
    const key = leaf?.PrivateKeyPEM;
    // It throws for what is no certificate, and for a key that belongs to another one.
    createSecureContext({ ca, cert, key });
    const isSame = this.#isSame(ca, cert);
    this.#roots = roots;
    this.#leaf = leaf;
    if (ca.length === 0 || cert === undefined || key === undefined || isSame) return;
    this.#certificates = { ca, cert, key: new Secret(key) };
    for (const listener of this.#listeners) listener();
  }

  #isSame(ca: readonly string[], cert: string | undefined): boolean {
    const { ca: before = [], cert: certBefore } = this.#certificates;
    return cert === certBefore && ca.length === before.length && ca.every((each, n) => each === before[n]);
  }
}
