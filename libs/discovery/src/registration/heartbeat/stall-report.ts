import type { CheckStatus } from '../../registry/service-registration.js';
import type { HealthReport } from './health-report.js';

export interface Silence {
  /** For how long the app's own thread has said nothing, in milliseconds. */
  readonly silentMs: number;
  /** It says something at least so often while its event loop runs. */
  readonly expectedMs: number;
  /** How long an event loop that stands still is vouched for. */
  readonly vouchForMs: number;
}

/** A thread that is merely busy is late, too. */
const TOLERANCE = 3;

/**
 * What a worker says for an app: its own last words; that its event loop is blocked, while that may pass; and nothing any
 * more after that, so that the check runs out.
 */
export function vouchFor(
  last: HealthReport,
  { silentMs, expectedMs, vouchForMs }: Silence,
): HealthReport | undefined {
  if (silentMs <= expectedMs * TOLERANCE) return last;
  if (silentMs > vouchForMs) return undefined;
  const seconds = Math.round(silentMs / 1000);
  const status: CheckStatus = last.status === 'critical' ? 'critical' : 'warning';
  return { status, output: `the event loop has been blocked for ${seconds} s; before that: ${last.output}` };
}
