import { errorsWithin, isError } from '../errors/reason-of.js';

/** Codes of the dialler and of name resolution: the connection never stood, so no byte of the request left. */
const DIAL_CODES: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'EADDRNOTAVAIL',
  'UND_ERR_CONNECT_TIMEOUT',
]);
const HANDSHAKE_CODE = /^(ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_(GET|VERIFY))/;

/**
 * Whether a failed request certainly never reached the peer, so that any request, a POST too, may go to another
 * instance. A reset is not in this class: the peer may have read the request.
 */
export function isNotSent(error: unknown): boolean {
  for (let at = error; isError(at); at = at.cause) {
    const { code, syscall } = at as NodeJS.ErrnoException;
    if (syscall === 'connect' || syscall === 'getaddrinfo') return true;
    if (code !== undefined && (DIAL_CODES.has(code) || HANDSHAKE_CODE.test(code))) return true;
    const within = errorsWithin(at);
    if (within.length > 0 && within.every(isNotSent)) return true;
  }
  return false;
}
