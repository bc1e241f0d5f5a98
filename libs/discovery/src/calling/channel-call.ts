import type { CallOutcome } from '../balancing/target/tracked-target.js';
import { DiscoveryError } from '../errors/discovery-error.js';
import { errorMessage } from '../errors/error-message.js';
import { admit, queueTimeout } from './admission.js';
import type { AdmissibleCall, AdmissionOptions, AdmittedCall } from './admitted-call.js';
import { hasFailed } from './attempt-result.js';
import type { ObservedRpc } from './call-observer.js';
import { MAX_TIMER_MS } from '../timing/clock.js';
import type { CallReport } from './options/call-options.js';
import type { ServiceContext } from './service-context.js';

/** How a call over gRPC ended. */
export interface RpcStatus {
  /** By its name: `OK`, `UNAVAILABLE`. */
  readonly name: string;
  readonly details: string;
  /** Undefined: it succeeded. */
  readonly error: Error | undefined;
  /** It never left this process: there was no instance, or no connection to one. */
  readonly isRejected: boolean;
}

const NO_HEADERS: readonly string[] = [];
/** What a status of ours begins with. */
const CODE = /^RK_[A-Z_]+/;

/** The status of a call that was not admitted, by its name. What is no error of ours is the abort of its signal. */
export function rejectionStatus(error: unknown): 'CANCELLED' | 'DEADLINE_EXCEEDED' | 'UNAVAILABLE' {
  if (!(error instanceof DiscoveryError)) return 'CANCELLED';
  return error.code === 'RK_CALL_TIMEOUT' ? 'DEADLINE_EXCEEDED' : 'UNAVAILABLE';
}

/** A call whose attempts its channel makes, as the limits of its service and telemetry know it. */
export class ChannelCall implements AdmissibleCall {
  readonly report: CallReport;
  admitted: AdmittedCall | undefined;
  readonly #context: ServiceContext;
  #observed: ObservedRpc | undefined;
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

  /** Whether it may have to wait before it begins. */
  get mayWait(): boolean {
    return this.#context.bulkhead !== undefined;
  }

  /** To be sent with it. */
  get headers(): readonly string[] {
    return this.#observed?.headers ?? NO_HEADERS;
  }

  /**
   * @param remainingMs until its deadline
   * @param signal of its caller, who may cancel it while it waits
   * @returns undefined: it is admitted at once
   * @throws CallError `RK_CIRCUIT_OPEN`, `RK_OVERLOADED`, `RK_CALL_TIMEOUT`, at once or later
   */
  admit(remainingMs: number, signal: AbortSignal | undefined): Promise<void> | undefined {
    const deadline = this.#startedAt + Math.min(remainingMs, MAX_TIMER_MS);
    return admit(this.#context, this, { ...this.#tools, deadline, signal });
  }

  rejected<E>(error: E): E {
    const code = error instanceof DiscoveryError ? error.code : undefined;
    const status = rejectionStatus(error);
    const outcome = code ? 'rejected' : 'cancelled';
    const ended = { status, outcome, errorType: code ?? outcome, details: errorMessage(error) } as const;
    this.#observe(ended, this.#elapsedMs);
    return error;
  }

  /** Its deadline has passed while it waited, although it was admitted. */
  expired(): Error {
    this.#release(undefined);
    return this.rejected(queueTimeout(this.report));
  }

  /** Its response has begun: the limits count it no longer, as over HTTP. */
  answered(): void {
    this.#release(false);
  }

  /** @param isAbandoned its caller has cancelled it */
  end({ name, details, error, isRejected }: RpcStatus, isAbandoned: boolean): void {
    const elapsedMs = this.#elapsedMs;
    // A server may tell of a call of its own with such a text.
    const [code] = error && isRejected ? (CODE.exec(details) ?? []) : [];
    this.#release(isAbandoned || code ? undefined : hasFailed(this.#judge(error, elapsedMs)));
    const failed = code ? 'rejected' : 'failure';
    this.#observe(
      {
        status: name,
        outcome: isAbandoned ? 'cancelled' : error ? failed : 'success',
        errorType: isAbandoned ? 'cancelled' : error && (code ?? name),
        details,
      },
      elapsedMs,
    );
  }

  /** Once: that it was not admitted is told before its channel says how it ended. */
  #observe(...ended: Parameters<ObservedRpc['end']>): void {
    this.#observed?.end(...ended);
    this.#observed = undefined;
  }

  /** Once: the limits count it no longer. */
  #release(failed: boolean | undefined): void {
    this.admitted?.end(failed);
    this.admitted = undefined;
  }

  get #elapsedMs(): number {
    return this.#tools.clock.now() - this.#startedAt;
  }
}
