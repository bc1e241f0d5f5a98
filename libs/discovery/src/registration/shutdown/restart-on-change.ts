import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

/** A process that was started, and the one that started it. */
export interface ParentProcess {
  readonly argv: readonly string[];
  readonly parentId: number;
}

const MAX_ANCESTORS = 4;
const PS_TIMEOUT_MS = 500;

/**
 * Whether this process is restarted when a file changes: the next one needs its port at once, and there is no use in waiting for callers.
 * Never with `NODE_ENV=production`.
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
  if (isRestartingScript(environment.npm_lifecycle_script ?? '')) return true;
  if (environment.WATCH_REPORT_DEPENDENCIES !== undefined) return true;
  let id = parentId;
  for (let ancestor = 0; ancestor < MAX_ANCESTORS && id > 1; ancestor++) {
    const found = find(id);
    if (!found) return false;
    if (isRestarter(found.argv)) return true;
    id = found.parentId;
  }
  return false;
}

/** A script that ends with such a tool, as `rimraf dist && nest start --watch`; one with alternatives may have done something else. */
function isRestartingScript(script: string): boolean {
  const last = script.split('&&').at(-1) ?? '';
  if (/[|;&]/.test(last) || script.includes('||')) return false;
  const words = last.trim().split(/\s+/);
  return words.some((_, start) => isRestarter(words.slice(start)));
}

/** The tools that restart a process when one of its files changes; a shell that only names one of them is none. */
function isRestarter(argv: readonly string[]): boolean {
  const isNode = /^node(js)?(\.exe)?$/.test(basename(argv[0] ?? ''));
  const own = isNode ? argv.slice(1) : argv;
  const found = own.findIndex(
    (argument, index) => !argument.startsWith('-') && !PRELOADS.has(own[index - 1] ?? ''),
  );
  const at = found < 0 ? own.length : found;
  const [tool = '', ...more] = own.slice(at).map(unquoted);
  if (isNode && own.slice(0, at).includes('--watch')) return true;
  switch (basename(tool).replace(/\.[cm]?js$/, '')) {
    case 'nest':
      return (
        isNestCli(tool) &&
        ['start', 's'].includes(more[0] ?? '') &&
        beforeDashes(more).some((each) => WATCH.has(each))
      );
    case 'tsx':
      return more[0] === 'watch';
    default:
      return ALWAYS_WATCHING.has(basename(tool).replace(/\.js$/, ''));
  }
}

/** Not an app that has the name. */
function isNestCli(tool: string): boolean {
  return (
    tool === 'nest' ||
    /[\\/](\.bin|@nestjs[\\/]cli[\\/]bin)[\\/]nest(\.js)?$|^\/usr\/(local\/)?bin\/nest$/.test(tool)
  );
}

/** What follows is for the app. */
function beforeDashes(words: readonly string[]): readonly string[] {
  const at = words.indexOf('--');
  return at < 0 ? words : words.slice(0, at);
}

/** Options of node that take a module as their value. */
const PRELOADS: ReadonlySet<string> = new Set(['-r', '--require', '--import', '--loader']);
const WATCH: ReadonlySet<string> = new Set(['--watch', '-w']);
const ALWAYS_WATCHING: ReadonlySet<string> = new Set(['nodemon', 'ts-node-dev', 'tsnd']);

function unquoted(argument: string): string {
  return argument.replace(/^(["'])(.*)\1$/, '$2');
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
  const argv = readFileSync(`/proc/${id}/cmdline`, 'utf8').split('\0').slice(0, -1);
  // After the name in parentheses, which may contain anything.
  const [, , parent] = readFileSync(`/proc/${id}/stat`, 'utf8').replace(/^.*\)/s, '').split(' ');
  return { argv, parentId: Number(parent) };
}

function fromPs(id: number): ParentProcess | undefined {
  const output = execFileSync('ps', ['-o', 'ppid=,command=', '-p', String(id)], {
    encoding: 'utf8',
    timeout: PS_TIMEOUT_MS,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [, parent, commandLine = ''] = /^\s*(\d+)\s+(.*)$/s.exec(output) ?? [];
  return parent === undefined ? undefined : { argv: commandLine.split(' '), parentId: Number(parent) };
}
