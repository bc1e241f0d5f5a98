import { DiscoveryError, type DiscoveryErrorCode, type DiscoveryErrorDetails } from '@rookery/discovery';

export interface ConsulErrorDetails extends DiscoveryErrorDetails {
  /** The HTTP status, if there was a response. */
  status?: number;
}

/** A failed call to Consul. `retryable` tells whether the same call may succeed later, unchanged. */
export class ConsulError extends DiscoveryError {
  readonly status: number | undefined;

  constructor(code: DiscoveryErrorCode, message: string, { status, ...details }: ConsulErrorDetails = {}) {
    super(code, message, details);
    this.status = status;
  }
}
