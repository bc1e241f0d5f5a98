import type { CallOutcome } from '../balancing/target/tracked-target.js';
import type { EndedCall } from '../calling/call-observer.js';
import { AttemptLost, AttemptTimeout } from '../calling/error-kind.js';
import { causeChain } from '../errors/error-message.js';
import { OTHER } from './name-limit.js';

/** Wrappers whose code says less than that of their cause. */
const WRAPPER = /^(ERR_|RK_CALL_FAILED$)/;
const CANCELLED = /^(ERR_CANCELED|ABORT_ERR|UND_ERR_ABORTED)$/;

/** The value of `error.type`: a code, of which there are few, and never a message, of which there are many. */
export function errorType(error: unknown): string {
  let last = 'Error';
  for (const link of causeChain(error)) {
    if (link instanceof AttemptTimeout) return 'timeout';
    if (link instanceof AttemptLost) return 'cancelled';
    const { code, name } = link as { code?: unknown; name: string };
    if (typeof code === 'string') {
      if (CANCELLED.test(code)) return 'cancelled';
      if (!WRAPPER.test(code)) return code;
      last = code;
      continue;
    }
    if (name === 'AbortError') return 'cancelled';
    if (last === 'Error') last = name;
  }
  return last;
}

/** Of an attempt; a status of 400 and more is an error of a client span. */
export function attemptErrorType(
  outcome: CallOutcome,
  status: number | undefined,
  error: unknown,
): string | undefined {
  // One that its caller abandoned is no error of anything.
  if (outcome === 'abandoned') return 'cancelled';
  if (status !== undefined) return status >= 400 ? String(status) : undefined;
  return error === undefined ? undefined : errorType(error);
}

/** Of a call that did not succeed. */
export function callErrorType({ wasCancelled, lastStatus }: EndedCall, error: unknown): string {
  if (wasCancelled) return 'cancelled';
  if (error !== undefined) return errorType(error);
  return lastStatus === undefined ? OTHER : String(lastStatus);
}

/** No attempt was made. */
const REJECTED = /^RK_(CIRCUIT_OPEN|OVERLOADED|NO_INSTANCES|REGISTRY_|UNKNOWN_DATACENTER|ACL_DENIED)/;

/** How a call ended that did not succeed. */
export function outcomeOf({ wasCancelled }: EndedCall, error: unknown): 'failure' | 'rejected' | 'cancelled' {
  if (wasCancelled) return 'cancelled';
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' && REJECTED.test(code) ? 'rejected' : 'failure';
}
