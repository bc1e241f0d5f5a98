import type { DiscoveryEvent } from '../events/discovery-event.js';
import type { Clock } from '../timing/clock.js';
import { withTimeout } from '../timing/with-timeout.js';
import type { ResponseResult } from './attempt-result.js';
import { CallError } from './call-error.js';
import type { Bulkhead } from './limits/bulkhead.js';
import type { Admission, CircuitBreaker } from './limits/circuit-breaker.js';
import type { ServiceCall } from './service-call.js';
import type { ServiceContext } from './service-context.js';

export interface AdmissionOptions {
  readonly clock: Clock;
  readonly emit: (event: DiscoveryEvent) => void;
  /** When the call has to end, by the clock. */
  readonly deadline: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * Runs a call if the circuit breaker and the bulkhead of its service admit it.
 *
 * @throws CallError `RK_CIRCUIT_OPEN`, `RK_OVERLOADED`, `RK_CALL_TIMEOUT` without an attempt, and what the call throws
 */
export async function runAdmitted<T>(
  context: ServiceContext,
  call: ServiceCall<T>,
  options: AdmissionOptions,
): Promise<ResponseResult<T>> {
  const { breaker, bulkhead, retryBudget } = context;
  const { clock } = options;
  const admission = breaker && admitByBreaker(breaker, call);
  let startedAt: number | undefined;
  try {
    if (bulkhead) await enter(bulkhead, context.name, call, options);
    startedAt = clock.now();
    retryBudget.deposit();
    return await call.run();
  } finally {
    const { hasFailed } = call;
    if (startedAt !== undefined)
      bulkhead?.exit(hasFailed === undefined ? undefined : clock.now() - startedAt, hasFailed);
    if (admission) record(context, admission, hasFailed, options.emit);
  }
}

function admitByBreaker<T>(breaker: CircuitBreaker, { report }: ServiceCall<T>): Admission {
  const admission = breaker.admit();
  if (admission) return admission;
  const reason = new Error('the circuit breaker is open: most recent calls failed');
  throw new CallError(
    'RK_CIRCUIT_OPEN',
    report,
    reason,
    'A trial call decides when it closes; use a fallback',
  );
}

async function enter<T>(
  bulkhead: Bulkhead,
  service: string,
  { report }: ServiceCall<T>,
  { clock, deadline, signal }: AdmissionOptions,
): Promise<void> {
  const place = bulkhead.enter();
  if (place === true) return;
  if (place === false) {
    const reason = new Error(`${bulkhead.limit} calls to "${service}" are in flight, and the queue is full`);
    const hint = 'Raise bulkhead.concurrency or bulkhead.queue, or use a fallback';
    throw new CallError('RK_OVERLOADED', report, reason, hint);
  }
  const onTimeout = (): Error =>
    new CallError('RK_CALL_TIMEOUT', report, new Error('timed out in the bulkhead queue'));
  try {
    await withTimeout(clock, Math.max(1, deadline - clock.now()), place.admitted, onTimeout, signal);
  } catch (error) {
    if (!place.leave()) bulkhead.exit();
    throw error;
  }
}

function record(
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
