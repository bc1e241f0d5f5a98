import type { PicksOptions } from '@rookery/discovery/adapter';

/** How calls over gRPC are made: as those over HTTP, but for what gRPC has rules of its own for. */
export interface GrpcCallOptions extends Omit<PicksOptions, 'hedge' | 'attemptTimeout'> {
  /**
   * gRPC's own retry, of every method, whether it may be repeated or not: on UNAVAILABLE only, and of a unary call whose connection ends in the middle of its
   * response. More than 4 make no difference. Default: 1. 0 for a service whose methods must not run twice.
   */
  retries?: number;
  /**
   * Whether an attempt counts against its instance; it does not decide what is retried. Default: UNAVAILABLE, RESOURCE_EXHAUSTED and DEADLINE_EXCEEDED. One
   * that throws is not asked: `failureRule.failed`.
   */
  isFailure?: NonNullable<PicksOptions['isFailure']>;
}
