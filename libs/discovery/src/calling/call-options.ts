import type { Duration } from '../configuration/duration.js';
import type { ServiceQuery } from '../registry/service-query.js';

/** How one call is made; what is left out has the client's default. */
export interface CallOptions {
  /** Which instances may take the call. */
  query?: ServiceQuery;
  /** The whole call, all attempts included. Default: `'10s'`. */
  timeout?: Duration;
  /** One attempt. Default: `'5s'`. */
  attemptTimeout?: Duration;
  /** Ends the call when it aborts. */
  signal?: AbortSignal;
  /** False: one attempt only, because the request's body can be read only once. Default: true. */
  repeatable?: boolean;
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
