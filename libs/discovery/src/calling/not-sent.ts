import { aggregatedErrors, causeChain, isError } from '../errors/error-message.js';
import { isGrpcNotConnected } from './grpc-status.js';

/** Codes of dialling, name resolution and the TLS handshake only: no byte of the request was sent. */
const NOT_CONNECTED: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
  // The instance left between the pick and the request: its pool takes no more.
  'UND_ERR_CLOSED',
  'ERR_INVALID_URL',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'ERR_SSL_WRONG_VERSION_NUMBER',
]);
/**
 * What ends a TLS handshake, in the words of OpenSSL's codes and messages: the peer has read no request. Node has it in the code,
 * or behind EPROTO in the message only.
 */
const HANDSHAKE_FAILURE =
  /alert (handshake failure|bad certificate|unsupported certificate|certificate (revoked|expired|unknown|required)|unknown ca|access denied|protocol version|unrecognized name|insufficient security|no application protocol)|ssl.* (wrong version number|packet length too long|http request)/;
/** Node's text for a connection that ends before the TLS handshake has; its code is that of any reset. */
const BEFORE_SECURE = 'before secure TLS connection was established';
const BAD_CERTIFICATE = /^(CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_(GET|VERIFY))/;

/** The attempt waited for a connection, and others of this app had all of them. */
export class ConnectionsInUse extends Error {
  constructor() {
    super('all connections to it are in use, such as by response streams that are still being read');
  }
}

const SENT = Symbol.for('rookery:sent');

/** Marks an error that followed a redirect: the request had been sent before, whatever the code of the error says. */
export function markSent<T>(error: T): T {
  if (isError(error)) Object.assign(error, { [SENT]: true });
  return error;
}

/** An error of this library's calls: a CallError, or an AxiosError of a service client. */
export function isCallError(error: Error): boolean {
  const { code, call } = error as { code?: unknown; call?: { attempts?: unknown } };
  return (typeof code === 'string' && code.startsWith('RK_')) || Array.isArray(call?.attempts);
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
    // An error of a call that the attempt itself made: what the attempt sent before is unknown.
    if (wasSent || isCallError(link)) return false;
    if (link instanceof ConnectionsInUse || syscall === 'connect' || syscall === 'getaddrinfo') return true;
    if (typeof code === 'string') {
      if (NOT_CONNECTED.has(code) || BAD_CERTIFICATE.test(code)) return true;
      const text = code === 'EPROTO' ? link.message : code.replaceAll('_', ' ');
      if (HANDSHAKE_FAILURE.test(text.toLowerCase())) return true;
    }
    if (link.message.includes(BEFORE_SECURE) || isGrpcNotConnected(link)) return true;
    const errors = aggregatedErrors(link);
    if (errors.length > 0 && errors.every(isNotSent)) return true;
  }
  return false;
}
