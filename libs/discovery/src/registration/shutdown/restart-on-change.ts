import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** A process that was started, and the one that started it. */
export interface ParentProcess {
  readonly commandLine: string;
  readonly parentId: number;
}

const MAX_ANCESTORS = 4;
const PS_TIMEOUT_MS = 500;

/** The tools that restart a process when one of its files changes: `nest start --watch`, `nodemon`, `tsx watch`, `node --watch`. */
const RESTARTERS: readonly RegExp[] = [
  /\bnest(\.js)?["']? ("?start"?|s) .*(--watch\b|-w\b)/,
  /\b(nodemon|ts-node-dev|tsnd)\b/,
  /\btsx\S* (.* )?watch\b/,
  /\bnode\S* (.* )?--watch\b/,
];

/**
 * Whether this process is restarted when a file changes: the next one needs its port at once, and waiting for callers helps
 * nobody. Never with `NODE_ENV=production`.
 *
 * @param find the process with an id; undefined: there is none, or it may not be read
 */
export function isRestartedOnChange(
  environment: NodeJS.ProcessEnv,
  parentId: number = process.ppid,
  find: (id: number) => ParentProcess | undefined = findProcess,
): boolean {
  if (environment.NODE_ENV === 'production') return false;
  // A script of package.json, and what node --watch sets.
  if (isRestarter(environment.npm_lifecycle_script ?? '')) return true;
  if (environment.WATCH_REPORT_DEPENDENCIES !== undefined) return true;
  let id = parentId;
  for (let ancestor = 0; ancestor < MAX_ANCESTORS && id > 1; ancestor++) {
    const found = find(id);
    if (!found) return false;
    if (isRestarter(found.commandLine)) return true;
    id = found.parentId;
  }
  return false;
}

function isRestarter(commandLine: string): boolean {
  return RESTARTERS.some((pattern) => pattern.test(`${commandLine} `));
}

function findProcess(id: number): ParentProcess | undefined {
  try {
    return process.platform === 'linux' ? fromProc(id) : fromPs(id);
  } catch {
    // It has ended, may not be read, or the system has no ps: then nothing is known.
    return undefined;
  }
}

function fromProc(id: number): ParentProcess {
  const commandLine = readFileSync(`/proc/${id}/cmdline`, 'utf8').split('\0').join(' ');
  // After the name in parentheses, which may contain anything.
  const [, , parent] = readFileSync(`/proc/${id}/stat`, 'utf8').replace(/^.*\)/s, '').split(' ');
  return { commandLine, parentId: Number(parent) };
}

function fromPs(id: number): ParentProcess | undefined {
  const output = execFileSync('ps', ['-o', 'ppid=,command=', '-p', String(id)], {
    encoding: 'utf8',
    timeout: PS_TIMEOUT_MS,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [, parent, commandLine = ''] = /^\s*(\d+)\s+(.*)$/s.exec(output) ?? [];
  return parent === undefined ? undefined : { commandLine, parentId: Number(parent) };
}
