import type { Strategy } from '../../balancing/strategies/strategies.js';
import type { Duration } from '../../configuration/duration.js';
import type { ServiceQuery } from '../../registry/service-query.js';
import type { RequestDescription } from '../call-observer.js';
import type { IsFailure } from '../failure-rules.js';
import type { HttpResponseInfo } from '../response-info.js';
import type { CancelSignal } from '../../timing/clock.js';

/** How the calls of a client are made. Each option can be set for all services, for one, for a client and for a call. */
export interface CallDefaults {
  /** Limit of the whole call, all attempts included; never beyond the deadline of the incoming request. Default: `'10s'`. */
  timeout?: Duration;
  /** Limit of one attempt. Default: `'5s'`. */
  attemptTimeout?: Duration;
  /**
   * How often a call that was sent and failed is retried on another instance, if it is idempotent. A request that was not
   * sent goes to another instance in any case. Default: 1.
   */
  retries?: number;
  /** Which instance takes a call. Default: `'p2c-ewma'`. */
  strategy?: Strategy;
  /** A second attempt on another instance while the first is slow; for idempotent calls only. Default: false. */
  hedge?: boolean | HedgeOptions;
  /**
   * Whether an attempt counts against its instance, and may be retried. Default: refused and broken connections, timeouts,
   * the HTTP statuses 502, 503, 504 and 429, and UNAVAILABLE, RESOURCE_EXHAUSTED and DEADLINE_EXCEEDED of gRPC.
   */
  isFailure?: IsFailure;
}

export interface HedgeOptions {
  /** How long the first attempt has before the second one starts. Default: the 95th percentile of recent calls to the service. */
  delay?: Duration;
  /** Second attempts for each call at most, 0 to 1. Default: 0.05. */
  budget?: number;
}

/** How one call is made; an option that is left out has the client's default. */
export interface CallOptions extends CallDefaults {
  /**
   * Whether a request that was sent may be sent again. Default: by the method of an HTTP request (GET, HEAD, PUT, DELETE,
   * OPTIONS, TRACE); `false` for what is no request of HTTP, such as in `DiscoveryService.call` and over TCP.
   */
  idempotent?: boolean;
  /** Which instances may take the call. */
  query?: ServiceQuery;
  /** Calls with the same key go to the same instance, with the strategies `consistent-hash` and `sticky`; of one call, not of a client. */
  hashKey?: string;
  /** Cancels the call when it aborts. */
  signal?: AbortSignal;
  /** False: there is only one attempt, because the body of the request can be read only once. Default: true. */
  replayableBody?: boolean;
}

/** Hooks for a transport of this library. */
export interface TransportOptions<T> extends Omit<CallOptions, 'signal'> {
  /** What is asked for, for telemetry. */
  request?: RequestDescription;
  /** Cancels the call when it aborts. */
  signal?: CancelSignal;
  /** Whether an attempt looks at the async context of its call. Default: it does. */
  usesAsyncContext?: () => boolean;
  /** Whether nothing of a body that can be read only once has been read yet, so that it may still go to another instance. */
  isBodyUnread?: () => boolean;
  /** Reads a response of the transport. Default: for a `Response` of fetch. */
  readResponse?: (value: T) => HttpResponseInfo;
  /** It is only sent: that it was says nothing about the instance. Default: false. */
  isOneWay?: boolean;
  /** Releases a response that is not returned, because there is another attempt. */
  discardResponse?: (value: T) => void;
}

/** A call with a fallback. */
export interface FallbackOptions<T> extends CallOptions {
  /**
   * The result when the call failed, was rejected, or could not be made; a response failed if it has a status of 500 or more, or
   * `isFailure` says so. The error is a `CallError` in most cases; `value` is the last response, if there was one.
   */
  fallback?: (error: Error, value?: T) => T | Promise<T>;
}

/** The fallback alone. */
export type Fallback<T> = Pick<FallbackOptions<T>, 'fallback'>;

/** One attempt of a call. */
export interface AttemptRecord {
  /** Id of the instance. */
  readonly instance: string;
  /** Its `address:port`. */
  readonly address: string;
  readonly durationMs: number;
  /** Why it failed; undefined for the attempt that succeeded. */
  readonly reason: string | undefined;
}

/** What a call did: on `response.call` and `error.call` of a service client, and in a `CallError`. */
export interface CallReport {
  readonly service: string;
  readonly attempts: readonly AttemptRecord[];
}
