import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** @import { ChildProcess } from 'node:child_process' */

/** @type {Set<ChildProcess>} */
const running = new Set();

export const PID_FOLDER_VARIABLE = 'ROOKERY_TEST_PIDS';

/**
 * However this process ends, the children that it tracks end too, by pid.
 *
 * @param {ChildProcess} child
 */
export function endWithUs(child) {
  if (running.size === 0) process.on('exit', killAll);
  child.unref(); // a test that failed before it could stop its child must not keep the runner alive
  running.add(child);
  const note = pidNote(child);
  if (note !== undefined) writeFileSync(note, '');
  child.once('exit', () => {
    running.delete(child);
    if (note !== undefined) rmSync(note, { force: true });
    if (running.size === 0) process.removeListener('exit', killAll);
  });
}

/**
 * A jest worker is ended without an exit event: what its tests did not stop is noted in a folder, for the runner's
 * global teardown to end.
 *
 * @param {string} folder
 * @returns {number[]} the pids that had to be ended
 */
export function killNoted(folder) {
  const pids = readdirSync(folder).map(Number);
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It had ended by itself.
    }
  }
  rmSync(folder, { recursive: true });
  return pids;
}

/**
 * How a child ended; resolves at once when it has.
 *
 * @param {ChildProcess} child
 * @returns {Promise<{ code: number | null, signal: NodeJS.Signals | null }>}
 */
export function exited(child) {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) {
      resolve({ code: child.exitCode, signal: child.signalCode });
    } else {
      child.ref(); // a caller that waits for its end must be kept alive until then
      child.once('exit', (code, signal) => resolve({ code, signal }));
    }
  });
}

/** @param {ChildProcess} child */
function pidNote(child) {
  const folder = process.env[PID_FOLDER_VARIABLE];
  return folder && child.pid !== undefined ? join(folder, String(child.pid)) : undefined;
}

function killAll() {
  for (const child of running) child.kill('SIGKILL');
}
