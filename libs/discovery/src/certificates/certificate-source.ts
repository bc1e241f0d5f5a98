import type { Secret } from '../configuration/secret.js';

/** What a TLS connection is made with, in PEM. */
export interface Certificates {
  /** Authorities that are trusted. Undefined: those that Node trusts. */
  readonly ca?: readonly string[] | undefined;
  /** Shown to the peer, with its chain. Undefined: none. */
  readonly cert?: string | undefined;
  /** A `Secret` cannot be printed by mistake. */
  readonly key?: string | Secret | undefined;
}

/** Where the certificates of connections come from: files, or a source of your own, such as a vault. */
export interface CertificateSource {
  /**
   * The present ones: the same object until they have changed. It is called for each new connection, and about once a second while there are calls, so
   * that it has to be cheap; it must not throw.
   */
  current(): Certificates;
}
