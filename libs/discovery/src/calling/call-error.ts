import { DiscoveryError } from '../errors/discovery-error.js';
import type { DiscoveryErrorCode } from '../errors/error-codes.js';
import { errorMessage } from '../errors/error-message.js';
import type { AttemptRecord, CallReport } from './options/call-options.js';

/** A call that failed, with each of its attempts. `cause` is what the last attempt threw. */
export class CallError extends DiscoveryError {
  readonly call: CallReport;

  constructor(code: DiscoveryErrorCode, call: CallReport, cause: unknown, hint?: string) {
    const attempts = call.attempts.map(describeAttempt).join('; ');
    super(code, `call to "${call.service}" failed: ${attempts || errorMessage(cause)}`, {
      cause,
      ...(hint ? { hint } : {}),
    });
    this.call = call;
  }
}

function describeAttempt({ instance, address, durationMs, reason }: AttemptRecord): string {
  return `${instance} at ${address}: ${reason ?? 'answered'} after ${Math.round(durationMs)} ms`;
}
