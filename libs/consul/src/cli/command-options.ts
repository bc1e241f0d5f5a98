import { parseArgs, type ParseArgsConfig } from 'node:util';
import { errorMessage } from '@rookery/discovery/adapter';
import type { AgentOptions } from '../client/agent-options.js';
import { UsageError } from './terminal.js';

type OptionsConfig = NonNullable<ParseArgsConfig['options']>;

/** The options of every command: those of the `consul` CLI. A token stands in no command line, where every user of the host sees it. */
const CONNECTION = {
  'http-addr': { type: 'string' },
  'token-file': { type: 'string' },
  'ca-file': { type: 'string' },
  'client-cert': { type: 'string' },
  'client-key': { type: 'string' },
  datacenter: { type: 'string' },
  namespace: { type: 'string' },
} as const satisfies OptionsConfig;

/** Those that say how the agent of `--http-addr` is asked. */
export const BESIDE_ADDRESS = Object.keys(CONNECTION).filter((name) => name !== 'http-addr');

export interface ParsedCommand {
  readonly values: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;
  readonly positionals: readonly string[];
  readonly agent: AgentOptions;
}

/** @throws UsageError for an unknown option, or a missing value */
export function parseCommand(args: readonly string[], own: OptionsConfig = {}): ParsedCommand {
  let parsed;
  try {
    parsed = parseArgs({ args: [...args], options: { ...CONNECTION, ...own }, allowPositionals: true });
  } catch (error) {
    const [reason = ''] = errorMessage(error).split('. ');
    const isNumber = /'-\d/.test(reason);
    throw new UsageError(isNumber ? `${reason}: put -- before a value that begins with a dash` : reason);
  }
  const values = parsed.values as ParsedCommand['values'];
  const text = (name: string): string | undefined => values[name] as string | undefined;
  const tls = {
    ...given('caFile', text('ca-file')),
    ...given('certFile', text('client-cert')),
    ...given('keyFile', text('client-key')),
  };
  return {
    values,
    positionals: parsed.positionals,
    agent: {
      ...given('url', text('http-addr')),
      ...given('tokenFile', text('token-file')),
      ...given('datacenter', text('datacenter')),
      ...given('namespace', text('namespace')),
      ...(Object.keys(tls).length > 0 ? { tls } : {}),
    },
  };
}

/** The arguments of a command. @throws UsageError when there are too few or too many */
export function positionals(
  { positionals: args }: ParsedCommand,
  required: readonly string[],
  optional: readonly string[] = [],
): readonly string[] {
  const missing = required.slice(args.length);
  if (missing.length > 0)
    throw new UsageError(`${missing.join(' and ')} ${missing.length > 1 ? 'are' : 'is'} missing`);
  const tooMany = args.slice(required.length + optional.length);
  if (tooMany.length > 0) throw new UsageError(`unexpected argument: ${tooMany.join(' ')}`);
  return args;
}

function given<K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> {
  return value === undefined ? {} : ({ [key]: value } as Partial<Record<K, V>>);
}
