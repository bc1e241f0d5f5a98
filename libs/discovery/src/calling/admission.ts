import { withTimeout } from '../timing/with-timeout.js';
import { AdmittedCall, recordCall, type AdmissionOptions } from './admitted-call.js';
import { CallError } from './call-error.js';
import type { Bulkhead, QueuedCall } from './limits/bulkhead.js';
import type { Admission, CircuitBreaker } from './limits/circuit-breaker.js';
import type { CallResult, ServiceCall } from './service-call.js';
import type { ServiceContext } from './service-context.js';

/**
 * Runs a call if the circuit breaker and the bulkhead of its service admit it.
 *
 * @throws CallError `RK_CIRCUIT_OPEN`, `RK_OVERLOADED`, `RK_CALL_TIMEOUT` without an attempt, and what the call throws
 */
export function runAdmitted<T>(
  context: ServiceContext,
  call: ServiceCall<T>,
  options: AdmissionOptions,
): Promise<CallResult<T>> {
  const { breaker, bulkhead } = context;
  const admission = breaker && admitByBreaker(breaker, call);
  const place = bulkhead?.enter() ?? true;
  if (!bulkhead || place === true) return run(context, call, admission, options);
  return runQueued(context, call, admission, options, bulkhead, place);
}

function run<T>(
  context: ServiceContext,
  call: ServiceCall<T>,
  admission: Admission | undefined,
  options: AdmissionOptions,
): Promise<CallResult<T>> {
  if (admission || context.bulkhead) call.admitted = new AdmittedCall(context, admission, options);
  context.retryBudget.deposit();
  return call.run();
}

async function runQueued<T>(
  context: ServiceContext,
  call: ServiceCall<T>,
  admission: Admission | undefined,
  options: AdmissionOptions,
  bulkhead: Bulkhead,
  place: QueuedCall | false,
): Promise<CallResult<T>> {
  try {
    if (place === false) context.rejectedCalls.refused();
    await admitted(bulkhead, place, context.name, call, options);
  } catch (error) {
    if (admission) recordCall(context, admission, undefined, options.emit);
    throw call.rejected(error);
  }
  return run(context, call, admission, options);
}

function admitByBreaker<T>(breaker: CircuitBreaker, call: ServiceCall<T>): Admission {
  const admission = breaker.admit();
  if (admission) return admission;
  const { report } = call;
  const reason = new Error('the circuit breaker is open: most recent calls failed');
  const hint = 'A trial call decides when it closes; use a fallback';
  throw call.rejected(new CallError('RK_CIRCUIT_OPEN', report, reason, hint));
}

async function admitted<T>(
  bulkhead: Bulkhead,
  place: QueuedCall | false,
  service: string,
  { report }: ServiceCall<T>,
  { clock, deadline, signal }: AdmissionOptions,
): Promise<void> {
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
