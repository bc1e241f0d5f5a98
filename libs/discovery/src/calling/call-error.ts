import { DiscoveryError, type DiscoveryErrorCode } from '../errors/discovery-error.js';
import { reasonOf } from '../errors/error-message.js';
import type { AttemptRecord, CallReport } from './options/call-options.js';

/** A call that failed, with every attempt of it. `cause` is what the last attempt threw. */
export class CallError extends DiscoveryError {
  readonly call: CallReport;

  constructor(code: DiscoveryErrorCode, call: CallReport, cause: unknown, hint?: string) {
    const tried = call.attempts.map(describeAttempt).join('; ');
    super(code, `call to "${call.service}" failed: ${tried || reasonOf(cause)}`, {
      cause,
      ...(hint ? { hint } : {}),
    });
    this.call = call;
  }
}

function describeAttempt({ instance, address, durationMs, reason }: AttemptRecord): string {
  return `${instance} at ${address}: ${reason ?? 'answered'} after ${Math.round(durationMs)} ms`;
}
