import type { CallOutcome } from '../balancing/target/tracked-target.js';
import { DiscoveryError } from '../errors/discovery-error.js';
import { errorMessage } from '../errors/error-message.js';
import { admit } from './admission.js';
import type { AdmissibleCall, AdmissionOptions, AdmittedCall } from './admitted-call.js';
import { hasFailed } from './attempt-result.js';
import { CallError } from './call-error.js';
import type { ObservedRpc } from './call-observer.js';
import type { CallReport } from './options/call-options.js';
import type { ServiceContext } from './service-context.js';

/** How a call over gRPC ended. */
export interface RpcStatus {
  /** By its name: `OK`, `UNAVAILABLE`. */
  readonly name: string;
  readonly details: string;
  /** Undefined: it succeeded. */
  readonly error: Error | undefined;
}

const NO_HEADERS: readonly string[] = [];
/** Of Node, about 25 days. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** It never left this process: there was no instance. */
const REJECTED = /^RK_[A-Z_]+/;

/** A call whose attempts its channel makes, as the limits of its service and telemetry know it. */
export class ChannelCall implements AdmissibleCall {
  readonly report: CallReport;
  admitted: AdmittedCall | undefined;
  readonly #context: ServiceContext;
  readonly #observed: ObservedRpc | undefined;
  readonly #judge: (error: Error | undefined, elapsedMs: number) => CallOutcome;
  readonly #tools: Pick<AdmissionOptions, 'clock' | 'emit'>;
  readonly #startedAt: number;

  constructor(
    context: ServiceContext,
    observed: ObservedRpc | undefined,
    judge: (error: Error | undefined, elapsedMs: number) => CallOutcome,
    tools: Pick<AdmissionOptions, 'clock' | 'emit'>,
  ) {
    this.report = { service: context.name, attempts: [] };
    this.#context = context;
    this.#observed = observed;
    this.#judge = judge;
    this.#tools = tools;
    this.#startedAt = tools.clock.now();
  }

  /** Whether it has to ask anything before it begins. */
  get isLimited(): boolean {
    return Boolean(this.#context.breaker ?? this.#context.bulkhead);
  }

  /** To be sent with it. */
  get headers(): readonly string[] {
    return this.#observed?.headers ?? NO_HEADERS;
  }

  /**
   * @param remainingMs until its deadline
   * @returns undefined: it is admitted at once
   * @throws CallError `RK_CIRCUIT_OPEN`, `RK_OVERLOADED`, `RK_CALL_TIMEOUT`, at once or later
   */
  admit(remainingMs: number, signal: AbortSignal): Promise<void> | undefined {
    const deadline = this.#startedAt + Math.min(remainingMs, MAX_TIMER_MS);
    return admit(this.#context, this, { ...this.#tools, deadline, signal });
  }

  rejected<E>(error: E): E {
    // What is no error of ours is the abort of its signal.
    const code = error instanceof DiscoveryError ? error.code : undefined;
    const status = code === 'RK_CALL_TIMEOUT' ? 'DEADLINE_EXCEEDED' : code ? 'UNAVAILABLE' : 'CANCELLED';
    const outcome = code ? 'rejected' : 'cancelled';
    const ended = { status, outcome, errorType: code ?? outcome, details: errorMessage(error) } as const;
    this.#observed?.end(ended, this.#elapsedMs);
    return error;
  }

  /** Its deadline has passed while it waited, although it was admitted. */
  expired(): CallError {
    this.admitted?.end(undefined);
    this.admitted = undefined;
    return this.rejected(
      new CallError('RK_CALL_TIMEOUT', this.report, new Error('timed out in the bulkhead queue')),
    );
  }

  /** Its response has begun: the limits count it no longer, as over HTTP. */
  answered(): void {
    this.admitted?.end(false);
    this.admitted = undefined;
  }

  /** @param isAbandoned its caller has cancelled it */
  end({ name, details, error }: RpcStatus, isAbandoned: boolean): void {
    const elapsedMs = this.#elapsedMs;
    const [code] = error ? (REJECTED.exec(details) ?? []) : [];
    this.admitted?.end(isAbandoned || code ? undefined : hasFailed(this.#judge(error, elapsedMs)));
    this.admitted = undefined;
    if (!this.#observed) return;
    const failed = code ? 'rejected' : 'failure';
    this.#observed.end(
      {
        status: name,
        outcome: isAbandoned ? 'cancelled' : error ? failed : 'success',
        errorType: isAbandoned ? 'cancelled' : error && (code ?? name),
        details,
      },
      elapsedMs,
    );
  }

  get #elapsedMs(): number {
    return this.#tools.clock.now() - this.#startedAt;
  }
}
