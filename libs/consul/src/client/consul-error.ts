import { DiscoveryError, type DiscoveryErrorCode } from '@rookery/discovery';

export interface ConsulErrorDetails {
  cause?: unknown;
  hint?: string;
  /** The HTTP status, if there was an answer. */
  status?: number;
  retryable: boolean;
  /** What `Retry-After` asked for, in milliseconds. */
  retryAfter?: number;
}

/** A call to Consul that failed. `retryable` tells whether the same call may succeed later, unchanged. */
export class ConsulError extends DiscoveryError {
  readonly status: number | undefined;
  readonly retryable: boolean;

  constructor(code: DiscoveryErrorCode, message: string, details: ConsulErrorDetails) {
    super(code, message, {
      ...(details.hint === undefined ? {} : { hint: details.hint }),
      ...(details.cause === undefined ? {} : { cause: details.cause }),
      ...(details.retryAfter === undefined ? {} : { retryAfter: details.retryAfter }),
    });
    this.status = details.status;
    this.retryable = details.retryable;
  }
}
