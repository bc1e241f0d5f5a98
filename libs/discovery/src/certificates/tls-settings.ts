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
}

/** In the terms of Node's `tls.connect`. */
export interface TlsConnectOptions {
  readonly ca?: string[];
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
  readonly rejectUnauthorized: boolean;
}

/** @param certificates what the source of the settings has at present */
export function toTlsOptions(
  { serverName, verify }: Omit<TlsSettings, 'certificates'>,
  { ca, cert, key }: Certificates = {},
): TlsConnectOptions {
  return {
    rejectUnauthorized: verify,
    ...(serverName === undefined ? {} : { servername: serverName }),
    ...(ca === undefined ? {} : { ca: [...ca] }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key: key instanceof Secret ? key.reveal() : key }),
  };
}
