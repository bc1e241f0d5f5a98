import type { ChildProcess } from 'node:child_process';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const running = new Set<ChildProcess>();

/** Whatever way this process ends, the children that it tracks end too, by pid. */
export function endWithUs(child: ChildProcess): void {
  if (running.size === 0) process.on('exit', killAll);
  child.unref(); // a test that failed before it could stop its child must not keep the runner
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
 * @returns the pids that had to be ended
 */
export function killNoted(folder: string): number[] {
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

export const PID_FOLDER_VARIABLE = 'ROOKERY_TEST_PIDS';

function pidNote(child: ChildProcess): string | undefined {
  const folder = process.env[PID_FOLDER_VARIABLE];
  return folder && child.pid !== undefined ? join(folder, String(child.pid)) : undefined;
}

function killAll(): void {
  for (const child of running) child.kill('SIGKILL');
}

/** How a child ended; resolves at once when it has. */
export function exited(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) {
      resolve({ code: child.exitCode, signal: child.signalCode });
    } else {
      child.ref(); // who waits for it does want to be kept alive
      child.once('exit', (code, signal) => resolve({ code, signal }));
    }
  });
}
