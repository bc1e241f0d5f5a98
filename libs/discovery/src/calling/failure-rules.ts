import { errorKind, statusKind, type FailureKind } from './error-kind.js';
import { isGrpcDeadline } from './grpc-status.js';

/** What an attempt came to: a value or an error. */
export interface AttemptOutcome {
  readonly value?: unknown;
  readonly error?: unknown;
  /** Of an HTTP response. */
  readonly status?: number | undefined;
}

/** Whether an attempt counts against its instance. */
export type IsFailure = (outcome: AttemptOutcome) => boolean;

/**
 * The default of `isFailure`. Every error counts against the instance, unless the caller is known to have caused it (a wrong
 * option, a limit of its own, an abort, a programming error); of HTTP the statuses 502, 503, 504 and 429, of gRPC UNAVAILABLE,
 * RESOURCE_EXHAUSTED and DEADLINE_EXCEEDED. Other server errors (500, INTERNAL) are no failure in this sense: they are not
 * retried, but instances that have more of them than others get fewer calls.
 *
 * @example
 * ```ts
 * const clients: ClientsOptions = {
 *   isFailure: (outcome) => outcome.status === 500 || countsAsFailure(outcome),
 * };
 * ```
 */
export function countsAsFailure(outcome: AttemptOutcome): boolean {
  return failureKind(outcome) === 'failure';
}

/** The deadline has passed, as a gateway or gRPC says it. */
export function isDeadline({ error, status }: AttemptOutcome): boolean {
  return status === 504 || isGrpcDeadline(error);
}

export function failureKind({ error, status }: AttemptOutcome): FailureKind {
  if (error !== undefined) return errorKind(error);
  return status === undefined ? 'none' : statusKind(status);
}
