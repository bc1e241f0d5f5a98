import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
// The command itself, since a process for each would take half a second.
import { run } from '#libs/consul/dist/cli/run.js';

const BIN = fileURLToPath(new URL('../../libs/consul/bin/rookery.js', import.meta.url));

export interface CommandResult {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface RunningCommand {
  /** What it has printed so far. */
  readonly result: { out: string; err: string };
  readonly ended: Promise<CommandResult>;
  readonly interrupt: () => void;
}

/** Runs `rookery` with these arguments, in this process. */
export async function runCommand(
  args: readonly string[],
  consulUrl: string,
  environment: NodeJS.ProcessEnv = {},
): Promise<CommandResult> {
  const result = { out: '', err: '' };
  const code = await run(args, {
    environment: { CONSUL_HTTP_ADDR: consulUrl, ...ofSecuredConsul(), ...environment },
    print: (text) => (result.out += Buffer.from(text as string).toString('utf8')),
    tell: (text) => (result.err += text),
    isTerminal: false,
    progress: undefined,
    confirm: undefined,
    readInput: () => Promise.reject(new Error('there is no input')),
    signal: new AbortController().signal,
  });
  return { code, ...result };
}

/** What a suite on a secured Consul has in its environment. */
function ofSecuredConsul(): NodeJS.ProcessEnv {
  const names = ['CONSUL_HTTP_TOKEN', 'CONSUL_CACERT', 'CONSUL_CLIENT_CERT', 'CONSUL_CLIENT_KEY'];
  return Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
}

/** Starts it as a process of its own. */
export function startCommand(args: readonly string[], consulUrl: string, input = ''): RunningCommand {
  const child = spawn(process.execPath, [BIN, ...args], {
    env: { PATH: process.env.PATH, CONSUL_HTTP_ADDR: consulUrl, ...ofSecuredConsul() },
    stdio: 'pipe',
  });
  const result = { out: '', err: '' };
  child.stdout.on('data', (data: Buffer) => (result.out += data.toString('utf8')));
  child.stderr.on('data', (data: Buffer) => (result.err += data.toString('utf8')));
  child.stdin.end(input);
  const ended = new Promise<CommandResult>((resolve) => {
    child.on('close', (code) => resolve({ code, ...result }));
  });
  return { result, ended, interrupt: () => void child.kill('SIGINT') };
}
