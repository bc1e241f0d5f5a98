import { withTimeout } from '../timing/with-timeout.js';
import { AdmittedCall, recordCall, type AdmissibleCall, type AdmissionOptions } from './admitted-call.js';
import { CallError } from './call-error.js';
import type { Bulkhead, QueuedCall } from './limits/bulkhead.js';
import type { Admission, CircuitBreaker } from './limits/circuit-breaker.js';
import type { CallReport } from './options/call-options.js';
import type { ServiceContext } from './service-context.js';

/**
 * Asks the circuit breaker and the bulkhead of a service. A call that was admitted has to tell `admitted`, if it has it, of its end.
 *
 * @returns undefined: it is admitted at once
 * @throws CallError `RK_CIRCUIT_OPEN`, `RK_OVERLOADED`, `RK_CALL_TIMEOUT`, at once or later
 */
export function admit(
  context: ServiceContext,
  call: AdmissibleCall,
  options: AdmissionOptions,
): Promise<void> | undefined {
  const { breaker, bulkhead } = context;
  const admission = breaker && admitByBreaker(breaker, call);
  const place = bulkhead?.enter() ?? true;
  if (bulkhead && place !== true) return wait(context, call, admission, options, bulkhead, place);
  begin(context, call, admission, options);
  return undefined;
}

function begin(
  context: ServiceContext,
  call: AdmissibleCall,
  admission: Admission | undefined,
  options: AdmissionOptions,
): void {
  if (admission || context.bulkhead) call.admitted = new AdmittedCall(context, admission, options);
}

async function wait(
  context: ServiceContext,
  call: AdmissibleCall,
  admission: Admission | undefined,
  options: AdmissionOptions,
  bulkhead: Bulkhead,
  place: QueuedCall | false,
): Promise<void> {
  try {
    if (place === false) context.rejectedCalls.refused();
    await admitted(bulkhead, place, context.name, call, options);
  } catch (error) {
    if (admission) recordCall(context, admission, undefined, options.emit);
    throw call.rejected(error);
  }
  begin(context, call, admission, options);
}

function admitByBreaker(breaker: CircuitBreaker, call: AdmissibleCall): Admission {
  const admission = breaker.admit();
  if (admission) return admission;
  const { report } = call;
  const reason = new Error('the circuit breaker is open: most recent calls failed');
  const hint = 'A trial call decides when it closes; use a fallback';
  throw call.rejected(new CallError('RK_CIRCUIT_OPEN', report, reason, hint));
}

async function admitted(
  bulkhead: Bulkhead,
  place: QueuedCall | false,
  service: string,
  { report }: AdmissibleCall,
  { clock, deadline, signal }: AdmissionOptions,
): Promise<void> {
  if (place === false) {
    const reason = new Error(`${bulkhead.limit} calls to "${service}" are in flight, and the queue is full`);
    const hint = 'Raise bulkhead.concurrency or bulkhead.queue, or use a fallback';
    throw new CallError('RK_OVERLOADED', report, reason, hint);
  }
  const onTimeout = (): Error => queueTimeout(report);
  try {
    await withTimeout(clock, Math.max(1, deadline - clock.now()), place.admitted, onTimeout, signal);
  } catch (error) {
    if (!place.leave()) bulkhead.exit();
    throw error;
  }
}

export function queueTimeout(report: CallReport): CallError {
  return new CallError('RK_CALL_TIMEOUT', report, new Error('timed out in the bulkhead queue'));
}
