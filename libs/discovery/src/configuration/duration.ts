import { DiscoveryError } from '../errors/discovery-error.js';

/** Milliseconds, or a string as Consul writes durations: `'500ms'`, `'10s'`, `'1m'`, `'1h30m'`. */
export type Duration = number | string;

const MILLISECONDS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const PART = /(\d+(?:\.\d+)?)(ms|s|m|h)/y;

/** Undefined when the value is not a duration. Units: `ms`, `s`, `m`, `h`, in any number of parts. */
export function parseDuration(value: Duration): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) && value >= 0 ? value : undefined;
  let total = 0;
  PART.lastIndex = 0;
  while (PART.lastIndex < value.length) {
    const match = PART.exec(value);
    if (!match) return undefined;
    total += Number(match[1]) * (MILLISECONDS[match[2] ?? ''] ?? NaN);
  }
  // More digits than a number has are one without an end.
  return value === '' || !Number.isFinite(total) ? undefined : total;
}

/**
 * @returns milliseconds
 * @throws DiscoveryError `RK_CONFIG_INVALID` when the value is not a duration; `field` names it in the message
 */
export function toMilliseconds(value: Duration, field: string): number {
  const milliseconds = parseDuration(value);
  if (milliseconds !== undefined) return milliseconds;
  throw new DiscoveryError('RK_CONFIG_INVALID', `${field}: ${JSON.stringify(value)} is not a duration`, {
    hint: DURATION_HINT,
  });
}

export const DURATION_HINT = `Use milliseconds or a string such as '500ms', '10s', '1m' or '1h30m'`;

/** The way Consul reads a duration. */
export function formatDuration(milliseconds: number): string {
  return `${Math.round(milliseconds)}ms`;
}
