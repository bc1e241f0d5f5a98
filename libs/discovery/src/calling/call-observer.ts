import type { CallOutcome } from '../balancing/target/tracked-target.js';
import type { ServiceInstance } from '../registry/service-instance.js';

/** What is asked for, as far as the transport of a call knows it. */
export interface RequestDescription {
  /** Of HTTP, in upper case. */
  readonly method: string;
  /** Path and query. */
  readonly path: string;
}

/** Why an attempt is made. `transparent-retry`: nothing was sent by the one before (gRPC A6). */
export type AttemptKind = 'first' | 'retry' | 'transparent-retry' | 'hedge';

/** Is told of calls, for telemetry. None of its methods may throw. */
export interface CallObserver {
  /** @returns undefined: nothing wants to know of this call */
  begin(service: string, request: RequestDescription | undefined, now: number): ObservedCall | undefined;
  /** As `begin`, for a call over gRPC, which tells of its attempts by `retried` only. */
  beginRpc(service: string, rpc: RpcDescription, now: number): ObservedRpc | undefined;
  /** A channel makes another attempt of a call. */
  retried(service: string): void;
}

/** What is called over gRPC. */
export interface RpcDescription {
  /** Fully qualified: `library.Library/Find`. */
  readonly method: string;
  /** Whether its metadata has this already: instrumentation sends the trace of its own span. */
  carries(name: string): boolean;
}

export interface ObservedRpc {
  /** To be sent with the call: names, in lower case, and values in turn. */
  readonly headers: readonly string[];
  end(ended: EndedRpc, durationMs: number): void;
}

/** A call over gRPC, as far as telemetry wants to know of it. */
export interface EndedRpc {
  /** By its name: `OK`, `UNAVAILABLE`. */
  readonly status: string;
  readonly outcome: 'success' | 'failure' | 'rejected' | 'cancelled';
  /** Undefined: it succeeded. */
  readonly errorType: string | undefined;
  /** In words. */
  readonly details: string;
}

/** One object may stand for all calls to a service, as long as it keeps nothing of a single one. */
export interface ObservedCall {
  /** An attempt begins; `number` is 0 for the first one. */
  attempt(instance: ServiceInstance, kind: AttemptKind, number: number): ObservedAttempt;
  /** Its fallback gave the result. */
  fellBack(): void;
  end(call: EndedCall, failure: string | undefined, error: unknown): void;
}

/** A call, as far as telemetry wants to know of it. */
export interface EndedCall {
  /** Of the last response; undefined: there was none, or it has no status. */
  readonly lastStatus: number | undefined;
  /** By its own signal. */
  readonly wasCancelled: boolean;
}

/** One object may stand for all attempts, as long as it keeps nothing of a single one. */
export interface ObservedAttempt {
  /** To be sent with the request: names, in lower case, and values in turn. */
  readonly headers: readonly string[];
  /** Calls `send` with the attempt, so that what happens meanwhile is known to belong to it. */
  run<A>(send: (attempt: A) => void, attempt: A): void;
  /** @param reason why it did not succeed, in words */
  settle(
    attempt: EndedAttempt,
    durationMs: number,
    outcome: CallOutcome,
    reason: string | undefined,
    error: unknown,
  ): void;
}

/** An attempt, as far as telemetry wants to know of it. */
export interface EndedAttempt {
  readonly instance: ServiceInstance;
  readonly kind: AttemptKind;
  readonly request: RequestDescription | undefined;
  /** Of the response; undefined: there was none, or it has no status. */
  readonly status: number | undefined;
}
