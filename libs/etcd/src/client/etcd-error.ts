import { DiscoveryError, type DiscoveryErrorCode, type DiscoveryErrorDetails } from '@rookery/discovery';

export interface EtcdErrorDetails extends DiscoveryErrorDetails {
  /** The status of gRPC, if there was one. */
  status?: number;
  /** Nothing of the request was sent. */
  notSent?: boolean;
}

/** A failed request to etcd. `retryable` tells whether the same request may succeed later, unchanged. */
export class EtcdError extends DiscoveryError {
  readonly status: number | undefined;
  /** Nothing of the request was sent: another member may be asked, whatever it does. */
  readonly notSent: boolean;

  constructor(
    code: DiscoveryErrorCode,
    message: string,
    { status, notSent = false, ...details }: EtcdErrorDetails = {},
  ) {
    super(code, message, details);
    this.status = status;
    this.notSent = notSent;
  }
}

/** What was to be read or watched is older than the oldest revision that etcd has kept. */
export class CompactedError extends EtcdError {
  /** The oldest revision that is left. */
  readonly compactRevision: bigint;

  constructor(message: string, compactRevision: bigint) {
    super('RK_REGISTRY_ERROR', message, { hint: 'Read again, and watch from there' });
    this.compactRevision = compactRevision;
  }
}
