import type { CallOutcome } from '../balancing/target/tracked-target.js';
import { errorMessage } from '../errors/error-message.js';
import { cappedDelay, describeCap } from '../timing/backoff.js';
import type { Random } from '../timing/clock.js';
import { MISDIRECTED } from './call-headers.js';
import { failureKind, isDeadline, type AttemptOutcome, type IsFailure } from './failure-rules.js';
import type { FailureKind } from './error-kind.js';
import { isNotSent } from './not-sent.js';
import { parseRetryAfter, type HttpResponseInfo } from './response-info.js';

/**
 * Whether an attempt may be made again on another instance. `safe`: nothing was sent, or it was certainly not acted upon.
 * `if-idempotent`: it was sent. `never`: it succeeded, or would fail again.
 */
export type RetrySafety = 'safe' | 'if-idempotent' | 'never';

/** The instance responded, and the response counts against it. */
export interface FailedResponse<T> {
  readonly type: 'failed-response';
  readonly value: T;
  readonly reason: string;
  readonly retry: RetrySafety;
  /** The address now serves another service. */
  readonly isMisdirected: boolean;
  /** How long this call has to wait before it goes there again. */
  readonly retryAfterMs: number | undefined;
  /** How long the instance asked for no calls at all. */
  readonly backOffMs: number | undefined;
}

/** How an attempt ended. */
export type AttemptResult<T> =
  | {
      readonly type: 'success';
      readonly value: T;
      /** An error of the server that is not retried, such as status 500. */
      readonly isServerError: boolean;
      /** It was only sent, which says nothing about the instance. */
      readonly isOneWay?: boolean;
    }
  | FailedResponse<T>
  /** There was no response, and the error counts against the instance. */
  | {
      readonly type: 'failed';
      readonly error: unknown;
      readonly reason: string;
      readonly retry: RetrySafety;
      /** Nothing was sent: the connection failed. */
      readonly isRefusal: boolean;
    }
  /** The error says nothing about the connection to the instance. */
  | {
      readonly type: 'ignored';
      readonly error: unknown;
      readonly reason: string;
      readonly retry: RetrySafety;
      /** An error of the server that is not retried, such as INTERNAL of gRPC. */
      readonly isServerError: boolean;
    }
  /** The caller gave up before there was a response. */
  | {
      readonly type: 'abandoned';
      readonly error: unknown;
      readonly reason: string;
      readonly retry: RetrySafety;
    };

/** A result with a response. */
export type ResponseResult<T> = Extract<AttemptResult<T>, { readonly value: T }>;

export function outcomeOf(result: AttemptResult<unknown>): CallOutcome {
  switch (result.type) {
    case 'success':
      if (result.isOneWay) return 'ignored';
      return result.isServerError ? 'server-error' : 'success';
    case 'ignored':
      return result.isServerError ? 'server-error' : 'ignored';
    case 'abandoned':
      return 'abandoned';
    default:
      return 'failure';
  }
}

/** Whether a call that ended so counts against the service; undefined: it says nothing about it. */
export function hasFailed(outcome: CallOutcome | undefined): boolean | undefined {
  switch (outcome) {
    case 'failure':
      return true;
    case 'success':
    case 'server-error':
      return false;
    default:
      return undefined;
  }
}

export function retrySafetyOf(result: AttemptResult<unknown>): RetrySafety {
  return result.type === 'success' ? 'never' : result.retry;
}

export function isResponse<T>(result: AttemptResult<T>): result is ResponseResult<T> {
  return result.type === 'success' || result.type === 'failed-response';
}

/** Longer than any restart: an instance that asks for more has a fault, or a clock that is wrong. */
const MAX_RETRY_AFTER_MS = 300_000;

/** @throws whatever a custom `isFailure` throws */
export function classifyError(
  error: unknown,
  isFailure?: IsFailure,
  isCutShort = false,
): AttemptResult<never> {
  const wasNotSent = isNotSent(error);
  const reason = errorMessage(error);
  const kind = kindOf({ error }, isFailure, isCutShort);
  if (kind !== 'failure')
    return {
      type: 'ignored',
      error,
      reason,
      retry: wasNotSent ? 'safe' : 'never',
      isServerError: kind === 'server-error',
    };
  return {
    type: 'failed',
    error,
    reason,
    retry: wasNotSent ? 'safe' : 'if-idempotent',
    isRefusal: wasNotSent,
  };
}

/**
 * A custom rule decides alone; but a deadline of the caller, which the instance or its transport may report, says nothing about the
 * instance.
 */
function kindOf(outcome: AttemptOutcome, isFailure: IsFailure | undefined, isCutShort: boolean): FailureKind {
  if (isCutShort && isDeadline(outcome)) return 'none';
  if (!isFailure) return failureKind(outcome);
  return isFailure(outcome) ? 'failure' : 'none';
}

/** Another attempt of the call was answered first. */
export function lost(error: Error): AttemptResult<never> {
  return { type: 'ignored', error, reason: error.message, retry: 'never', isServerError: false };
}

/** The caller has given up. */
export function abandoned(error: unknown): AttemptResult<never> {
  return { type: 'abandoned', error, reason: errorMessage(error), retry: 'never' };
}

/** @throws whatever a custom `isFailure` throws */
export function classifyResponse<T>(
  value: T,
  response: HttpResponseInfo | undefined,
  isFailure: IsFailure | undefined,
  random: Random,
  isCutShort = false,
): ResponseResult<T> {
  const isMisdirected = response?.status === MISDIRECTED && response.isMisdirected;
  const kind = isMisdirected ? 'failure' : kindOf({ value, status: response?.status }, isFailure, isCutShort);
  if (kind !== 'failure') return { type: 'success', value, isServerError: kind === 'server-error' };
  const requestedMs = parseRetryAfter(response?.retryAfter, Date.now());
  const retryAfterMs =
    requestedMs === undefined ? undefined : cappedDelay(requestedMs, MAX_RETRY_AFTER_MS, random);
  return {
    type: 'failed-response',
    value,
    reason: isMisdirected
      ? 'address now serves another service (421)'
      : response
        ? `status ${response.status}${describeCap(requestedMs ?? 0, MAX_RETRY_AFTER_MS)}`
        : 'response counts as a failure',
    retry: isMisdirected ? 'safe' : 'if-idempotent',
    isMisdirected,
    retryAfterMs,
    // 429 may be a rate limit of this caller or of its user: other calls go on.
    backOffMs: response?.status === 503 ? retryAfterMs : undefined,
  };
}
