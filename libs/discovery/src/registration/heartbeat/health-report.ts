import { inspect } from 'node:util';
import type { HealthCheckResult } from '@nestjs/terminus';
import type { CheckStatus } from '../../registry/service-registration.js';

/** The app's health as the status of a check. */
export interface HealthReport {
  readonly status: CheckStatus;
  /** For humans: which indicators are not up, and why. */
  readonly output: string;
}

const MAX_OUTPUT = 1_000;

/** `up` is *passing*, `degraded` is *warning*, anything else is *critical*. */
export function toHealthReport({ status, details }: HealthCheckResult): HealthReport {
  const notUp = Object.entries(details).filter(([, indicator]) => indicator.status !== 'up');
  const described = notUp.map(([name, { status: indicatorStatus, message }]) => {
    const reason =
      message === undefined ? '' : ` (${typeof message === 'string' ? message : inspect(message)})`;
    return `${name} is ${indicatorStatus}${reason}`;
  });
  const all = `all ${Object.keys(details).length} indicators are up`;
  const output = (described.join(', ') || (status === 'ok' ? all : status)).slice(0, MAX_OUTPUT);
  if (status === 'ok') return { status: 'passing', output };
  return { status: status === 'degraded' ? 'warning' : 'critical', output };
}
