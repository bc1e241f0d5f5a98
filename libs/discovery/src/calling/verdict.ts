import { patience } from '../timing/backoff.js';
import type { Random } from '../timing/clock.js';
import type { Outcome } from '../balancing/target-state.js';
import { errorsWithin, isError, reasonOf } from '../errors/reason-of.js';
import { MISDIRECTED } from './call-headers.js';
import { isNotSent } from './not-sent.js';

/** What an attempt came to: one of the two. */
export interface AttemptOutcome {
  readonly value?: unknown;
  readonly error?: unknown;
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
  /** For how many milliseconds it asked to be left alone. */
  readonly leaveAlone: number | undefined;
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
 * The default of `isFailure`: whether an attempt counts against its instance. Refused and broken connections do, timeouts,
 * and the answers 502, 503, 504 and 429; other answers do not, nor do errors that have nothing to do with a connection.
 */
export function countsAsFailure(error: unknown): boolean {
  for (let at = error; isError(at); at = at.cause) {
    const { code } = at as NodeJS.ErrnoException;
    if (at instanceof AttemptTimeout) return true;
    if (code !== undefined && OUR_OWN.has(code)) return false;
    // HPE_: what it says is no HTTP.
    if (code !== undefined && (BROKEN.has(code) || code.startsWith('HPE_'))) return true;
    if (errorsWithin(at).some(countsAsFailure)) return true;
  }
  return isNotSent(error);
}

/** The attempt had its time and did not end. */
export class AttemptTimeout extends Error {
  constructor(limitMs: number) {
    super(`no answer in ${Math.round(limitMs)} ms`);
  }
}

export type IsFailure = (outcome: AttemptOutcome) => boolean;

export function judgeError(error: unknown, isFailure: IsFailure | undefined): Verdict {
  const notSent = isNotSent(error);
  const isBad = isFailure ? isFailure({ error }) : countsAsFailure(error);
  return {
    outcome: isBad ? 'failure' : 'ignored',
    failure: notSent ? 'not sent' : isBad ? 'sent' : 'final',
    isRefusal: isBad && notSent,
    isMisdirected: false,
    leaveAlone: undefined,
    reason: reasonOf(error),
  };
}

const GOOD: Verdict = Object.freeze({
  outcome: 'success',
  failure: 'final',
  isRefusal: false,
  isMisdirected: false,
  leaveAlone: undefined,
  reason: '',
});

export function judgeValue(
  value: unknown,
  answer: Answer | undefined,
  isFailure: IsFailure | undefined,
  random: Random,
): Verdict {
  const isMisdirected = answer?.status === MISDIRECTED && answer.isMisdirected;
  const isBad = isMisdirected || (isFailure ? isFailure({ value }) : OVERLOADED.has(answer?.status ?? 200));
  if (!isBad) return GOOD;
  const asked = retryAfterMs(answer?.retryAfter, Date.now());
  return {
    outcome: 'failure',
    failure: isMisdirected ? 'not sent' : 'sent',
    isRefusal: false,
    isMisdirected,
    leaveAlone: asked === undefined ? undefined : patience(asked, random),
    reason: isMisdirected
      ? 'it is another service now'
      : answer
        ? `status ${answer.status}`
        : 'an answer that counts as a failure',
  };
}

/** Seconds, or a date (RFC 9110, 10.2.3), in milliseconds from now. */
function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  const seconds = /^\s*\d+\s*$/.test(header) ? Number(header) : undefined;
  const until = seconds === undefined ? Date.parse(header) - nowMs : seconds * 1_000;
  return Number.isFinite(until) && until > 0 ? until : undefined;
}
