import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { FakeTerminal } from '@rookery/test-support';
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
  /** It has taken the input, but for what a pipe holds. */
  readonly taken: Promise<void>;
}

/** Runs `rookery` with these arguments, in this process. */
export async function runCommand(
  args: readonly string[],
  consulUrl: string,
  environment: NodeJS.ProcessEnv = {},
): Promise<CommandResult> {
  const terminal = new FakeTerminal(
    { CONSUL_HTTP_ADDR: consulUrl, ...ofSecuredConsul(), ...environment },
    { readInput: () => Promise.reject(new Error('there is no input')) },
  );
  const code = await run(args, terminal);
  return { code, out: terminal.out, err: terminal.err };
}

/** What a suite on a secured Consul has in its environment. */
function ofSecuredConsul(): NodeJS.ProcessEnv {
  const names = ['CONSUL_HTTP_TOKEN', 'CONSUL_CACERT', 'CONSUL_CLIENT_CERT', 'CONSUL_CLIENT_KEY'];
  return Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
}

/**
 * Starts it as a process of its own.
 *
 * @param isWhole false: its input does not end
 */
export function startCommand(
  args: readonly string[],
  consulUrl: string,
  input = '',
  isWhole = true,
): RunningCommand {
  const child = spawn(process.execPath, [BIN, ...args], {
    env: { PATH: process.env.PATH, CONSUL_HTTP_ADDR: consulUrl, ...ofSecuredConsul() },
    stdio: 'pipe',
  });
  const result = { out: '', err: '' };
  child.stdout.on('data', (data: Buffer) => (result.out += data.toString('utf8')));
  child.stderr.on('data', (data: Buffer) => (result.err += data.toString('utf8')));
  const taken = new Promise<void>((resolve) => child.stdin.write(input, () => resolve()));
  child.stdin.on('error', () => undefined);
  if (isWhole) child.stdin.end();
  const ended = new Promise<CommandResult>((resolve) => {
    child.on('close', (code) => resolve({ code, ...result }));
  });
  return { result, ended, taken, interrupt: () => void child.kill('SIGINT') };
}
