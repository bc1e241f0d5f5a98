import { chainOf, errorsWithin, isError } from '../errors/error-message.js';

/** Codes that only dialling, name resolution and the TLS handshake have: no byte of the request left. */
const NOT_CONNECTED: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
  'ERR_INVALID_URL',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'ERR_SSL_WRONG_VERSION_NUMBER',
]);
const BAD_CERTIFICATE = /^(CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_(GET|VERIFY))/;

/** Marks an error that came after the request was answered once, by a redirect: it was sent, whatever its code says. */
export function markSent<T>(error: T): T {
  if (isError(error)) Object.assign(error, { [SENT]: true });
  return error;
}
const SENT = Symbol('rookery:sent');

/**
 * Whether a failed request certainly never reached the peer, so that any request, a POST too, may go to another
 * instance. A reset is not in this class: the peer may have read the request. Nor is an unreachable network by itself:
 * Linux reports it on connections that stand, too.
 */
export function isNotSent(error: unknown): boolean {
  for (const at of chainOf(error)) {
    const {
      code,
      syscall,
      [SENT]: sent,
    } = at as Omit<NodeJS.ErrnoException, 'code'> & {
      code?: unknown;
      [SENT]?: boolean;
    };
    if (sent) return false;
    if (syscall === 'connect' || syscall === 'getaddrinfo') return true;
    if (typeof code === 'string' && (NOT_CONNECTED.has(code) || BAD_CERTIFICATE.test(code))) return true;
    const within = errorsWithin(at);
    if (within.length > 0 && within.every(isNotSent)) return true;
  }
  return false;
}
