import { aggregatedErrors, causeChain } from '../errors/error-message.js';
import { grpcStatusOf, GRPC_FAILURES, GRPC_SERVER_ERRORS, isGrpcResponseTooLarge } from './grpc-status.js';
import { ConnectionsInUse, isCallError, isNotSent } from './not-sent.js';

/** Another attempt of the same call was answered first. */
export class AttemptLost extends Error {
  constructor() {
    super('another attempt was answered first');
  }
}

/**
 * What a status or an error says about its instance. `failure`: it failed, or is overloaded. `server-error`: it answered with
 * an error of its own, which another instance may well repeat. `none`: nothing, or the caller caused it.
 */
export type FailureKind = 'failure' | 'server-error' | 'none';

const OVERLOAD_STATUSES: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/** A response redirects to another host, and may not. */
export const REDIRECT_REFUSED = 'ERR_REDIRECT_REFUSED';

/** Errors of this process or of the request: no file descriptor or port is left, an option is wrong, a limit was reached. */
const CALLER_ERRORS: ReadonlySet<string> = new Set([
  'EMFILE',
  'ENFILE',
  'EADDRNOTAVAIL',
  'ENOBUFS',
  'ENOMEM',
  'ABORT_ERR',
  'ERR_CANCELED',
  'ERR_INVALID_URL',
  'ERR_INVALID_ARG_TYPE',
  'ERR_INVALID_ARG_VALUE',
  'ERR_INVALID_CHAR',
  'ERR_INVALID_PROTOCOL',
  'ERR_UNESCAPED_CHARACTERS',
  'ERR_HTTP_INVALID_HEADER_VALUE',
  'ERR_HTTP_CONTENT_LENGTH_MISMATCH',
  'ERR_BAD_OPTION',
  'ERR_BAD_OPTION_VALUE',
  'ERR_BAD_REQUEST',
  'ERR_NOT_SUPPORT',
  'ERR_FR_TOO_MANY_REDIRECTS',
  REDIRECT_REFUSED,
  'ERR_FR_MAX_BODY_LENGTH_EXCEEDED',
  'UND_ERR_ABORTED',
  'UND_ERR_CLOSED',
  'UND_ERR_DESTROYED',
  'UND_ERR_INVALID_ARG',
  'UND_ERR_NOT_SUPPORTED',
  'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
  'UND_ERR_RES_EXCEEDED_MAX_SIZE',
]);

const callerErrors = new WeakSet<object>();

/** The caller caused this error, whatever its code says: the body that it sends broke, for example. */
export function markCallerError(error: unknown): void {
  if (typeof error === 'object' && error !== null) callerErrors.add(error);
}

/** The attempt did not end within its time limit. */
export class AttemptTimeout extends Error {
  /** Its limit was shorter than usual, since the caller's deadline was near: that says nothing about the instance. */
  readonly wasCutShort: boolean;

  constructor(limitMs: number, wasCutShort: boolean) {
    super(`no response in ${Math.round(limitMs)} ms`);
    this.wasCutShort = wasCutShort;
  }
}

export function statusKind(status: number): FailureKind {
  if (OVERLOAD_STATUSES.has(status)) return 'failure';
  return status >= 500 ? 'server-error' : 'none';
}

/**
 * Every error counts against the instance unless the caller is known to have caused it: a list of what counts would always lack
 * one, and an instance whose errors count as nothing looks fast and attracts the calls (envoyproxy/envoy#3643).
 */
export function errorKind(error: unknown): FailureKind {
  let isProgramming = false;
  const links = [...causeChain(error)];
  // Whatever it was wrapped into.
  if (links.some((link) => callerErrors.has(link))) return 'none';
  for (const link of links) {
    const known = knownKind(link);
    if (known !== undefined) return known;
    isProgramming = link instanceof TypeError || link instanceof ReferenceError || link instanceof RangeError;
    const errors = aggregatedErrors(link);
    if (errors.length > 0) return errors.some((each) => errorKind(each) === 'failure') ? 'failure' : 'none';
  }
  return isProgramming && !isNotSent(error) ? 'none' : 'failure';
}

/** Undefined: the error itself says nothing, but its cause may. */
function knownKind(error: Error): FailureKind | undefined {
  if (error instanceof AttemptTimeout) return error.wasCutShort ? 'none' : 'failure';
  if (error instanceof ConnectionsInUse) return 'none';
  // The attempt itself called another service.
  if (isCallError(error)) return 'none';
  const { code, name } = error as { code?: unknown; name?: unknown };
  const grpc = grpcStatusOf(error);
  if (grpc !== undefined) {
    if (isGrpcResponseTooLarge(error)) return 'none';
    if (GRPC_FAILURES.has(grpc)) return 'failure';
    return GRPC_SERVER_ERRORS.has(grpc) ? 'server-error' : 'none';
  }
  const status = httpStatusOf(error);
  if (status !== undefined) return statusKind(status);
  if (name === 'AbortError') return 'none';
  if (typeof code !== 'string') return undefined;
  if (CALLER_ERRORS.has(code)) return 'none';
  // axios has one code for this limit of the caller and for broken responses.
  if (error.message.startsWith('maxContentLength ')) return 'none';
  // The code of axios says less than the error that caused it.
  if (code.startsWith('ERR_') && error.cause !== undefined) return undefined;
  return 'failure';
}

/**
 * Of an error that an HTTP client throws for an error status: `error.response.status` of axios, `statusCode` of got, Nest's
 * `status`. A truncated body has a status as well, but a good one.
 */
function httpStatusOf(error: Error): number | undefined {
  const { status, statusCode, response } = error as {
    status?: unknown;
    statusCode?: unknown;
    response?: { status?: unknown; statusCode?: unknown } | null;
  };
  for (const each of [response?.status, response?.statusCode, status, statusCode])
    if (typeof each === 'number' && each >= 400 && each <= 599) return each;
  return undefined;
}
