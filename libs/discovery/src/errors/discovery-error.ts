import { ERROR_CLASSES, type DiscoveryErrorCode } from './error-codes.js';

export interface DiscoveryErrorDetails {
  /** What the reader can do about it; one sentence, appended to the message. */
  hint?: string;
  cause?: unknown;
  /** How long the other side asked to be left alone, in milliseconds. */
  retryAfterMs?: number;
  /** Default: by the code. */
  retryable?: boolean;
}

/**
 * The base of every error of Rookery: the message says what was tried, where, and why it failed, then what to do.
 *
 * @example
 * ```ts
 * try {
 *   await discovery.choose('inventory');
 * } catch (error) {
 *   if (error instanceof DiscoveryError && error.code === 'RK_NO_INSTANCES') show(cachedBooks);
 *   else throw error;
 * }
 * ```
 */
export class DiscoveryError extends Error {
  readonly code: DiscoveryErrorCode;
  readonly hint: string | undefined;
  readonly retryAfterMs: number | undefined;
  /** Whether the same request may succeed later, unchanged. */
  readonly retryable: boolean;

  constructor(code: DiscoveryErrorCode, message: string, details: DiscoveryErrorDetails = {}) {
    super(
      details.hint ? `${message}. ${details.hint}` : message,
      details.cause === undefined ? undefined : { cause: details.cause },
    );
    this.name = new.target.name;
    this.code = code;
    this.hint = details.hint;
    this.retryAfterMs = details.retryAfterMs;
    this.retryable = details.retryable ?? ERROR_CLASSES[code].retryable;
  }
}

/** For use after `app.close()`. */
export function shutDownError(): DiscoveryError {
  return new DiscoveryError('RK_SHUT_DOWN', 'discovery has been shut down', {
    hint: 'It was used during or after app.close()',
  });
}

/** True unless the error is one of Rookery's that says otherwise: an unknown error may pass. */
export function isRetryable(error: unknown): boolean {
  return !(error instanceof DiscoveryError) || error.retryable;
}

/** False when the other side did not answer at all. */
export function isReachable(error: unknown): boolean {
  return !(error instanceof DiscoveryError) || ERROR_CLASSES[error.code].reachable;
}

/** The registry answers, and its servers cannot do what they should: they have no leader, for example. */
export function isInTrouble(error: unknown): boolean {
  return error instanceof DiscoveryError && ERROR_CLASSES[error.code].inTrouble;
}

/** The request itself was rejected: it changed nothing, and waiting does not help. */
export function isRefused(error: unknown): error is DiscoveryError {
  return error instanceof DiscoveryError && ERROR_CLASSES[error.code].refused;
}
