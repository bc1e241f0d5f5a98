import type { DiscoveryEvent } from '../events/discovery-event.js';
import type { CancelSignal, Clock } from '../timing/clock.js';
import type { Admission } from './limits/circuit-breaker.js';
import type { CallReport } from './options/call-options.js';
import type { ServiceContext } from './service-context.js';

export interface AdmissionOptions {
  readonly clock: Clock;
  readonly emit: (event: DiscoveryEvent) => void;
  /** When the call has to end, by the clock. */
  readonly deadline: number;
  readonly signal: CancelSignal | undefined;
}

/** A call that asks the limits of its service. */
export interface AdmissibleCall {
  readonly report: CallReport;
  /** Told when the call is over. */
  admitted: AdmittedCall | undefined;
  /** It ends with this error before it has begun. @returns the error */
  rejected<E>(error: E): E;
}

/** A call that the limits of its service count until it is over. An object: closures here cost as much as a pick. */
export class AdmittedCall {
  readonly #context: ServiceContext;
  readonly #admission: Admission | undefined;
  readonly #options: AdmissionOptions;
  readonly #startedAt: number;

  constructor(context: ServiceContext, admission: Admission | undefined, options: AdmissionOptions) {
    this.#context = context;
    this.#admission = admission;
    this.#options = options;
    this.#startedAt = context.bulkhead ? options.clock.now() : 0;
  }

  /** @param hasFailed undefined: the call says nothing about the service */
  end(hasFailed: boolean | undefined): void {
    const { clock, emit } = this.#options;
    this.#context.bulkhead?.exit(
      hasFailed === undefined ? undefined : clock.now() - this.#startedAt,
      hasFailed,
    );
    if (this.#admission) recordCall(this.#context, this.#admission, hasFailed, emit);
  }
}

/** Records the end of a call that the circuit breaker has admitted. */
export function recordCall(
  { breaker, name: service, settings }: ServiceContext,
  admission: Admission,
  hasFailed: boolean | undefined,
  emit: AdmissionOptions['emit'],
): void {
  const change = breaker?.record(admission, hasFailed);
  if (change === 'closed') emit({ type: 'circuit.closed', service });
  if (change !== 'opened') return;
  const { openMs = 0, failureRate = 0 } = settings.circuitBreaker ?? {};
  const reason = `at least ${Math.round(failureRate * 100)} % of the calls failed`;
  emit({ type: 'circuit.opened', service, reason, durationMs: openMs });
}
