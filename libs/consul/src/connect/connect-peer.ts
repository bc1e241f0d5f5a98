import type { PeerCertificate, TLSSocket } from 'node:tls';
import { spiffeIdOf, type SpiffeId } from './spiffe-id.js';

/** The other end of a connection, by its certificate. */
export type ConnectPeer =
  | { readonly id: SpiffeId; /** In milliseconds since the epoch. */ readonly validUntil: number }
  | { readonly problem: string };

/** Whether a peer has shown a certificate that an authority of Consul has signed, and which service it names. */
export function peerOf(
  socket: Pick<TLSSocket, 'authorized' | 'authorizationError'> & {
    getPeerX509Certificate?: TLSSocket['getPeerX509Certificate'];
  },
): ConnectPeer {
  const certificate = socket.getPeerX509Certificate?.();
  if (!certificate) return { problem: 'it has shown no certificate' };
  // After a second handshake only one of the two says so.
  if (!socket.authorized || (socket.authorizationError as unknown)) {
    // Node has the code of OpenSSL here, against its type.
    const reason: unknown = socket.authorizationError;
    return { problem: `its certificate is not accepted (${String(reason)})` };
  }
  return named(certificate.subjectAltName, certificate.validTo);
}

/** The same by the certificate alone, which an authority of Consul has signed; undefined: it has shown none that one has. */
export function peerWith(certificate: PeerCertificate | undefined): ConnectPeer {
  if (!certificate) return { problem: 'it has shown no certificate that is accepted' };
  return named(certificate.subjectaltname, certificate.valid_to);
}

function named(alternativeNames: string | undefined, validTo: string): ConnectPeer {
  const id = spiffeIdOf(alternativeNames);
  return id ? { id, validUntil: Date.parse(validTo) } : { problem: 'its certificate names no service' };
}
