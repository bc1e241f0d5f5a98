import { causeChain } from '../errors/error-message.js';

const HINTS: readonly (readonly [RegExp, string])[] = [
  [
    /SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER|CERT_UNTRUSTED/,
    'Its certificate is signed by an authority that is not trusted here: set clients.tls.caFile, or connect.native if it is a part of Consul Connect',
  ],
  [
    /ERR_TLS_CERT_ALTNAME_INVALID/,
    'Its certificate is for another name: set clients.tls.serverName, such as inventory.service.consul',
  ],
  [/CERT_IDENTITY_MISMATCH/, 'Another service answers at its address: the list of the registry is older'],
  [/CERT_HAS_EXPIRED|CERT_NOT_YET_VALID/, 'Its certificate is not valid now: renew it, or set the clock'],
  [
    /certificate required|handshake failure|bad certificate/i,
    'Does it want a client certificate? Set clients.tls.certFile and clients.tls.keyFile',
  ],
  [
    /wrong version number|packet length too long/i,
    'It does not speak TLS, and is registered as one that does: see service.secure',
  ],
];

/** What to change when the TLS handshake with an instance failed, by the error of Node or OpenSSL. */
export function tlsHint(error: unknown): string | undefined {
  for (const link of causeChain(error)) {
    const { code = '', message } = link as NodeJS.ErrnoException;
    const found = HINTS.find(([pattern]) => pattern.test(`${code} ${message}`));
    if (found) return found[1];
  }
  return undefined;
}
