import { inspect } from 'node:util';
import type { HealthCheckResult } from '@nestjs/terminus';
import type { CheckStatus } from '../../registry/service-registration.js';

/** The app's health in the words of a check. */
export interface HealthReport {
  readonly status: CheckStatus;
  /** For people: which indicator, and why. */
  readonly output: string;
}

const LONGEST_OUTPUT = 1_000;

/** `up` is *passing*, `degraded` is *warning*, anything else is *critical*. */
export function toHealthReport({ status, details }: HealthCheckResult): HealthReport {
  const wrong = Object.entries(details).filter(([, indicator]) => indicator.status !== 'up');
  const names = wrong.map(([name, { status: is, message }]) => {
    const why = message === undefined ? '' : ` (${typeof message === 'string' ? message : inspect(message)})`;
    return `${name} is ${is}${why}`;
  });
  const all = `all ${Object.keys(details).length} indicators are up`;
  const output = (names.join(', ') || (status === 'ok' ? all : status)).slice(0, LONGEST_OUTPUT);
  if (status === 'ok') return { status: 'passing', output };
  return { status: status === 'degraded' ? 'warning' : 'critical', output };
}
