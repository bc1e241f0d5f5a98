import type { CallOutcome } from '../balancing/target/tracked-target.js';
import { errorMessage } from '../errors/error-message.js';
import { capRetryAfter } from '../timing/backoff.js';
import type { Random } from '../timing/clock.js';
import { MISDIRECTED } from './call-headers.js';
import { countsAsFailure, type IsFailure } from './failure-rules.js';
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
  | { readonly type: 'success'; readonly value: T }
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
  /** There was no response, and the error says nothing about the instance. */
  | {
      readonly type: 'ignored';
      readonly error: unknown;
      readonly reason: string;
      readonly retry: RetrySafety;
    };

/** A result with a response. */
export type ResponseResult<T> = Extract<AttemptResult<T>, { readonly value: T }>;

export function outcomeOf({ type }: AttemptResult<unknown>): CallOutcome {
  if (type === 'success' || type === 'ignored') return type;
  return 'failure';
}

export function retrySafetyOf(result: AttemptResult<unknown>): RetrySafety {
  return result.type === 'success' ? 'never' : result.retry;
}

export function isResponse<T>(result: AttemptResult<T>): result is ResponseResult<T> {
  return result.type === 'success' || result.type === 'failed-response';
}

/** @throws whatever a custom `isFailure` throws */
export function classifyError(error: unknown, isFailure: IsFailure = countsAsFailure): AttemptResult<never> {
  const wasNotSent = isNotSent(error);
  const reason = errorMessage(error);
  if (!isFailure({ error })) return { type: 'ignored', error, reason, retry: wasNotSent ? 'safe' : 'never' };
  return {
    type: 'failed',
    error,
    reason,
    retry: wasNotSent ? 'safe' : 'if-idempotent',
    isRefusal: wasNotSent,
  };
}

/** The caller has cancelled the attempt. */
export function cancelled(error: Error): AttemptResult<never> {
  return classifyError(error, () => false);
}

/** @throws whatever a custom `isFailure` throws */
export function classifyResponse<T>(
  value: T,
  response: HttpResponseInfo | undefined,
  isFailure: IsFailure = countsAsFailure,
  random: Random,
): ResponseResult<T> {
  const isMisdirected = response?.status === MISDIRECTED && response.isMisdirected;
  if (!isMisdirected && !isFailure({ value, status: response?.status })) return { type: 'success', value };
  const requestedMs = parseRetryAfter(response?.retryAfter, Date.now());
  const retryAfterMs = requestedMs === undefined ? undefined : capRetryAfter(requestedMs, random);
  return {
    type: 'failed-response',
    value,
    reason: isMisdirected
      ? 'address now serves another service (421)'
      : response
        ? `status ${response.status}`
        : 'response counts as a failure',
    retry: isMisdirected ? 'safe' : 'if-idempotent',
    isMisdirected,
    retryAfterMs,
    // 429 may be a rate limit of this caller or of its user: other calls go on.
    backOffMs: response?.status === 503 ? retryAfterMs : undefined,
  };
}
