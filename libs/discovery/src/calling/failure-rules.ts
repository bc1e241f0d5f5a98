import { aggregatedErrors, causeChain } from '../errors/error-message.js';
import { isNotSent } from './not-sent.js';

/** What an attempt came to: a value or an error. */
export interface AttemptOutcome {
  readonly value?: unknown;
  readonly error?: unknown;
  /** Of an HTTP response. */
  readonly status?: number | undefined;
}

/** Whether an attempt counts against its instance. */
export type IsFailure = (outcome: AttemptOutcome) => boolean;

/** Local trouble, not the instance's: no file descriptor or port is left. */
const LOCAL_ERRORS: ReadonlySet<string> = new Set([
  'EMFILE',
  'ENFILE',
  'EADDRNOTAVAIL',
  'ENOBUFS',
  'ERR_INVALID_URL',
]);
const CONNECTION_ERRORS: ReadonlySet<string> = new Set([
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ERR_STREAM_PREMATURE_CLOSE',
  'UND_ERR_SOCKET',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);
const OVERLOAD_STATUSES: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/**
 * The default of `isFailure`. Refused and broken connections, timeouts, and the statuses 502, 503, 504 and 429 count against
 * the instance; other statuses do not, and neither do errors that have nothing to do with a connection.
 *
 * @example
 * ```ts
 * isFailure: (outcome) => outcome.status === 500 || countsAsFailure(outcome),
 * ```
 */
export function countsAsFailure({ error, status }: AttemptOutcome): boolean {
  if (error !== undefined) return isConnectionFailure(error);
  return status !== undefined && OVERLOAD_STATUSES.has(status);
}

function isConnectionFailure(error: unknown): boolean {
  for (const link of causeChain(error)) {
    const { code } = link as { code?: unknown };
    if (link instanceof AttemptTimeout) return !link.wasCutShort;
    if (typeof code === 'string') {
      if (LOCAL_ERRORS.has(code)) return false;
      // HPE_: the response is not HTTP.
      if (CONNECTION_ERRORS.has(code) || code.startsWith('HPE_')) return true;
    }
    if (aggregatedErrors(link).some(isConnectionFailure)) return true;
  }
  return isNotSent(error);
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
