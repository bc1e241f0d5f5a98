import type { PeerCertificate } from 'node:tls';
import { Secret } from '../configuration/secret.js';
import type { Certificates, CertificateSource } from './certificate-source.js';

/** How the connections to a peer are secured. */
export interface TlsSettings {
  /** Undefined: the authorities that Node trusts, and no client certificate. */
  readonly certificates: CertificateSource | undefined;
  /** The expected name in the certificate of the peer. Undefined: its address. */
  readonly serverName: string | undefined;
  /** False accepts any certificate. */
  readonly verify: boolean;
  /**
   * Judges a certificate that an authority has signed, in place of the comparison with `serverName`. Undefined: names are compared.
   *
   * @returns why it is not the one that is expected; undefined: it is
   */
  readonly mismatch?: ((certificate: PeerCertificate) => Error | undefined) | undefined;
}

/** In the terms of Node's `tls.connect`. */
export interface TlsConnectOptions {
  readonly ca?: string[];
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
  readonly rejectUnauthorized: boolean;
  readonly checkServerIdentity?: (host: string, certificate: PeerCertificate) => Error | undefined;
  readonly maxCachedSessions?: number;
}

/** @param certificates what the source of the settings has at present */
export function toTlsOptions(
  { serverName, verify, mismatch }: Omit<TlsSettings, 'certificates'>,
  certificates: Certificates = {},
): TlsConnectOptions {
  return {
    rejectUnauthorized: verify,
    // A session that is resumed would not be judged again.
    ...(mismatch
      ? { checkServerIdentity: (_: string, peer: PeerCertificate) => mismatch(peer), maxCachedSessions: 0 }
      : {}),
    ...(serverName === undefined ? {} : { servername: serverName }),
    ...toContextOptions(certificates),
  };
}

/** For a server, or a context of Node's TLS. */
export function toContextOptions({
  ca,
  cert,
  key,
}: Certificates): Pick<TlsConnectOptions, 'ca' | 'cert' | 'key'> {
  return {
    ...(ca === undefined ? {} : { ca: [...ca] }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key: key instanceof Secret ? key.reveal() : key }),
  };
}
