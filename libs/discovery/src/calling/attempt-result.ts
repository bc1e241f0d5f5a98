import { patience } from '../timing/backoff.js';
import type { Random } from '../timing/clock.js';
import type { Outcome } from '../balancing/target/tracked-target.js';
import { chainOf, errorsWithin, reasonOf } from '../errors/error-message.js';
import { MISDIRECTED, SERVICE_HEADER } from './call-headers.js';
import { isNotSent } from './not-sent.js';

/** What an attempt came to: a value or an error. */
export interface AttemptOutcome {
  readonly value?: unknown;
  readonly error?: unknown;
  /** Of an HTTP answer. */
  readonly status?: number | undefined;
}

/** What an HTTP response says of who gave it. */
export interface Answer {
  readonly status: number;
  /** The `Retry-After` header. */
  readonly retryAfter: string | undefined;
  /** Whether it is our own module that calls the request misdirected. */
  readonly isMisdirected: boolean;
}

/** What follows from an attempt. */
export interface Verdict {
  /** For the statistics of the instance. */
  readonly outcome: Outcome;
  /**
   * Which class of failure it is: `not sent`, or sent and certainly not acted upon, may be made again elsewhere whatever
   * the request; `sent` only if the request is idempotent; `final` is an answer, or an error that would come again.
   */
  readonly failure: 'not sent' | 'sent' | 'final';
  /** Nobody listens there. */
  readonly isRefusal: boolean;
  readonly isMisdirected: boolean;
  /** For how many milliseconds it asked to be left alone, by everybody. */
  readonly leaveAlone: number | undefined;
  /** For how many milliseconds this call is to wait before it goes there again. */
  readonly retryAfter: number | undefined;
  readonly reason: string;
}

/** Ours, not the instance's: no descriptor or port is left. */
const OUR_OWN: ReadonlySet<string> = new Set([
  'EMFILE',
  'ENFILE',
  'EADDRNOTAVAIL',
  'ENOBUFS',
  'ERR_INVALID_URL',
]);
const BROKEN: ReadonlySet<string> = new Set([
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
const OVERLOADED: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/**
 * The default of `isFailure`: refused and broken connections count against the instance, timeouts, and the answers 502, 503,
 * 504 and 429; other answers do not, nor do errors that have nothing to do with a connection.
 *
 * @example
 * ```ts
 * isFailure: (outcome) => outcome.status === 500 || countsAsFailure(outcome),
 * ```
 */
export function countsAsFailure({ error, status }: AttemptOutcome): boolean {
  return error === undefined ? status !== undefined && OVERLOADED.has(status) : isConnectionFailure(error);
}

function isConnectionFailure(error: unknown): boolean {
  for (const at of chainOf(error)) {
    const { code } = at as { code?: unknown };
    if (at instanceof AttemptTimeout) return !at.wasCutShort;
    if (typeof code === 'string') {
      if (OUR_OWN.has(code)) return false;
      // HPE_: what it says is no HTTP.
      if (BROKEN.has(code) || code.startsWith('HPE_')) return true;
    }
    if (errorsWithin(at).some(isConnectionFailure)) return true;
  }
  return isNotSent(error);
}

/** The attempt had its time and did not end. */
export class AttemptTimeout extends Error {
  /** It had less time than calls of its kind have, as its caller was about to give up: that says nothing of the instance. */
  readonly wasCutShort: boolean;

  constructor(limitMs: number, wasCutShort: boolean) {
    super(`no answer in ${Math.round(limitMs)} ms`);
    this.wasCutShort = wasCutShort;
  }
}

export type IsFailure = (outcome: AttemptOutcome) => boolean;

export function judgeError(error: unknown, isFailure: IsFailure | undefined): Verdict {
  const notSent = isNotSent(error);
  const isBad = (isFailure ?? countsAsFailure)({ error });
  return {
    outcome: isBad ? 'failure' : 'ignored',
    failure: notSent ? 'not sent' : isBad ? 'sent' : 'final',
    isRefusal: isBad && notSent,
    isMisdirected: false,
    leaveAlone: undefined,
    retryAfter: undefined,
    reason: reasonOf(error),
  };
}

const GOOD: Verdict = Object.freeze({
  outcome: 'success',
  failure: 'final',
  isRefusal: false,
  isMisdirected: false,
  leaveAlone: undefined,
  retryAfter: undefined,
  reason: '',
});

export function judgeValue(
  value: unknown,
  answer: Answer | undefined,
  isFailure: IsFailure | undefined,
  random: Random,
): Verdict {
  const isMisdirected = answer?.status === MISDIRECTED && answer.isMisdirected;
  const isBad = isMisdirected || (isFailure ?? countsAsFailure)({ value, status: answer?.status });
  if (!isBad) return GOOD;
  const asked = retryAfterMs(answer?.retryAfter, Date.now());
  const retryAfter = asked === undefined ? undefined : patience(asked, random);
  return {
    outcome: 'failure',
    failure: isMisdirected ? 'not sent' : 'sent',
    isRefusal: false,
    isMisdirected,
    // A limit of rate may well be this very caller's, or its user's: the others go on.
    leaveAlone: answer?.status === 503 ? retryAfter : undefined,
    retryAfter,
    reason: isMisdirected
      ? 'it is another service now'
      : answer
        ? `status ${answer.status}`
        : 'an answer that counts as a failure',
  };
}

/** What a `Response` of fetch says; undefined: it is none. */
export function answerOf(value: unknown): Answer | undefined {
  const { status, headers } = (value ?? {}) as { status?: unknown; headers?: { get?: unknown } };
  if (typeof status !== 'number' || typeof headers?.get !== 'function') return undefined;
  const { headers: told } = value as Response;
  return {
    status,
    retryAfter: told.get('retry-after') ?? undefined,
    isMisdirected: told.get(SERVICE_HEADER) !== null,
  };
}

/** Seconds, or a date (RFC 9110, 10.2.3), in milliseconds from now. */
function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  const seconds = /^\s*\d+\s*$/.test(header) ? Number(header) : undefined;
  const until = seconds === undefined ? Date.parse(header) - nowMs : seconds * 1_000;
  return Number.isFinite(until) && until > 0 ? until : undefined;
}
