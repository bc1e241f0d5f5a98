import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { killNoted, PID_FOLDER_VARIABLE } from './child-processes.js';

/** Runs before all suites. Many start what is built: it is never older than its sources. */
export default function setup() {
  execFileSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' });
  process.env.ROOKERY_IS_BUILT = 'true';
  process.env[PID_FOLDER_VARIABLE] = mkdtempSync(join(tmpdir(), 'rookery-pids-'));
}

/** Runs after all suites: nothing that a test started is left running. */
export function teardown() {
  const folder = process.env[PID_FOLDER_VARIABLE];
  const left = folder ? killNoted(folder) : [];
  if (left.length > 0)
    process.stderr.write(`killed ${left.length} processes that tests had left running: ${left.join(', ')}\n`);
}
