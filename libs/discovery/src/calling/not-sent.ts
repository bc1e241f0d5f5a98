import { aggregatedErrors, causeChain, isError } from '../errors/error-message.js';

/** Codes of dialling, name resolution and the TLS handshake only: no byte of the request was sent. */
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

const SENT = Symbol('rookery:sent');

/** Marks an error that followed a redirect: the request had been sent before, whatever the code of the error says. */
export function markSent<T>(error: T): T {
  if (isError(error)) Object.assign(error, { [SENT]: true });
  return error;
}

/**
 * Whether a failed request certainly never reached the peer, so that any request, a POST too, may go to another
 * instance. A reset is not one of those: the peer may have read the request. Neither is an unreachable network: Linux
 * reports it on established connections, too.
 */
export function isNotSent(error: unknown): boolean {
  for (const link of causeChain(error)) {
    const {
      code,
      syscall,
      [SENT]: wasSent,
    } = link as Omit<NodeJS.ErrnoException, 'code'> & {
      code?: unknown;
      [SENT]?: boolean;
    };
    if (wasSent) return false;
    if (syscall === 'connect' || syscall === 'getaddrinfo') return true;
    if (typeof code === 'string' && (NOT_CONNECTED.has(code) || BAD_CERTIFICATE.test(code))) return true;
    const errors = aggregatedErrors(link);
    if (errors.length > 0 && errors.every(isNotSent)) return true;
  }
  return false;
}
