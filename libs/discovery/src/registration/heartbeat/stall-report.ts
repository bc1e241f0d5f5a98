import type { CheckStatus } from '../../registry/service-registration.js';
import type { HealthReport } from './health-report.js';

export interface Stall {
  /** Milliseconds since the last message of the main thread. */
  readonly silentMs: number;
  /** Between two messages while its event loop runs. */
  readonly expectedMs: number;
  /** For how long a blocked event loop is still reported, instead of letting the check expire. */
  readonly maxStallMs: number;
}

/** A busy event loop is late, too, without being blocked. */
export const STALL_TOLERANCE = 3;

/**
 * What a worker thread reports for the app: its last report; then *warning*, while its event loop is blocked; and nothing
 * any more after `maxStallMs`, so that the check expires.
 */
export function stallReport(
  last: HealthReport,
  { silentMs, expectedMs, maxStallMs }: Stall,
): HealthReport | undefined {
  if (silentMs <= expectedMs * STALL_TOLERANCE) return last;
  if (silentMs > maxStallMs) return undefined;
  const seconds = Math.round(silentMs / 1000);
  const status: CheckStatus = last.status === 'critical' ? 'critical' : 'warning';
  return { status, output: `event loop blocked for ${seconds} s; last report: ${last.output}` };
}
