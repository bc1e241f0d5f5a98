import type { Strategy } from '../../balancing/strategies/strategies.js';
import type { Duration } from '../../configuration/duration.js';
import type { ServiceQuery } from '../../registry/service-query.js';
import type { Answer, IsFailure } from '../attempt-result.js';

/** How the calls of one client are made; each may be said for all services, for one, for a client and for a call. */
export interface CallDefaults {
  /** The whole call, all attempts included; within a request of somebody else no longer than he waits. Default: `'10s'`. */
  timeout?: Duration;
  /** One attempt. Default: `'5s'`. */
  attemptTimeout?: Duration;
  /**
   * How often a call that was sent and failed is made again on another instance, if it is idempotent. What was not even
   * sent goes to another instance in any case. Default: 1.
   */
  retries?: number;
  /** Who takes a call. Default: `'p2c-ewma'`. */
  strategy?: Strategy;
  /** A second attempt on another instance while the first is slow; for idempotent calls only. Default: false. */
  hedge?: boolean | HedgeOptions;
  /**
   * Whether an attempt counts against its instance, and may be made again. Default: refused and broken connections,
   * timeouts, and the HTTP answers 502, 503, 504 and 429.
   */
  isFailure?: IsFailure;
}

export interface HedgeOptions {
  /** How long the first attempt has. Default: what 95 of 100 calls of this service took at most, of late. */
  after?: Duration;
  /** So many second attempts for each call at most, 0 to 1. Default: 0.05. */
  extraLoad?: number;
}

/** How one call is made; what is left out has the client's default. */
export interface CallOptions extends CallDefaults {
  /**
   * Whether a request that was sent may be sent again. Default: by the method of an HTTP request (GET, HEAD, PUT, DELETE,
   * OPTIONS, TRACE); `false` in `DiscoveryService.call`.
   */
  idempotent?: boolean;
  /** Which instances may take the call. */
  query?: ServiceQuery;
  /** Calls of one key go to one instance, with the strategies `consistent-hash` and `sticky`. */
  hashKey?: string;
  /** Ends the call when it aborts. */
  signal?: AbortSignal;
  /** False: one attempt only, because the request's body can be read only once. Default: true. */
  repeatable?: boolean;
}

/** What a transport of ours knows of its answers, besides. */
export interface TransportOptions<T> extends CallOptions {
  answer?: (value: T) => Answer;
  /** Lets go of an answer that another attempt is made instead of. */
  discard?: (value: T) => void;
}

/** A call with something to fall back on. */
export interface FallbackOptions<T> extends CallOptions {
  /**
   * What to answer with when the call failed for good, was refused, or could not be made: a `CallError`, as a rule; with the
   * last answer, where there was one.
   */
  fallback?: (error: Error, value?: T) => T | Promise<T>;
}

/** One attempt of a call, as it went. */
export interface AttemptRecord {
  /** Id of the instance. */
  readonly instance: string;
  /** Its `address:port`. */
  readonly address: string;
  readonly durationMs: number;
  /** Why it failed; undefined for the attempt that was answered. */
  readonly reason: string | undefined;
}

/** What a call did: on `response.call` and `error.call` of a service client, and in a `CallError`. */
export interface CallReport {
  readonly service: string;
  readonly attempts: readonly AttemptRecord[];
}
