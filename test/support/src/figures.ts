import { appendFileSync } from 'node:fs';

/** Where `npm run faults` collects what the tests measured. */
export const FIGURES_VARIABLE = 'ROOKERY_FIGURES';

/** Reports a measurement: never asserted, since the machine is shared; printed, and collected by `npm run faults`. */
export function figure(id: string, text: string): void {
  process.stderr.write(`${id}: ${text}\n`);
  const file = process.env[FIGURES_VARIABLE];
  if (file) appendFileSync(file, `${JSON.stringify({ id, text })}\n`);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}
