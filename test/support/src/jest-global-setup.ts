import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { killNoted, PID_FOLDER_VARIABLE } from './child-processes.js';

/** Runs before all suites. */
export default function setup(): void {
  process.env[PID_FOLDER_VARIABLE] = mkdtempSync(join(tmpdir(), 'rookery-pids-'));
}

/** Runs after all suites: nothing that a test started is left running. */
export function teardown(): void {
  const folder = process.env[PID_FOLDER_VARIABLE];
  const left = folder ? killNoted(folder) : [];
  if (left.length > 0)
    process.stderr.write(`ended ${left.length} processes that a test had left: ${left.join(', ')}\n`);
}
