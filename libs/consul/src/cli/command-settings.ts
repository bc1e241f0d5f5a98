import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { closeNames, configSourceOf, errorMessage, type ConfigSchema } from '@rookery/discovery/adapter';
import {
  isOfConsul,
  resolveConsulConfig,
  type ResolvedConsulConfig,
} from '../config/consul-config-options.js';
import { BESIDE_ADDRESS, type ParsedCommand } from './command-options.js';
import { CommandError, UsageError, type Terminal } from './terminal.js';

const LAYOUT = ['name', 'profile', 'prefix', 'format', 'data-key', 'order', 'schema', 'secret'] as const;

/** What `--settings` names, or what the other options say. @throws UsageError, or CommandError for a file that cannot be used */
export async function settingsOf(
  command: ParsedCommand,
  { environment }: Terminal,
): Promise<ResolvedConsulConfig> {
  const { values, agent } = command;
  const text = (name: string): string | undefined => values[name] as string | undefined;
  const settings = text('settings');
  if (settings !== undefined) {
    const also = LAYOUT.filter((name) => values[name] !== undefined);
    if (also.length > 0)
      throw new UsageError(`--${also.join(', --')} has no effect together with --settings`);
    const connection = BESIDE_ADDRESS.filter((name) => values[name] !== undefined);
    if (connection.length > 0 && agent.url === undefined)
      throw new UsageError(
        `--${connection.join(', --')} has no effect without --http-addr: --settings names the agent and how it is asked`,
      );
    const source = configSourceOf(await loadExport('--settings', settings, 'settings'));
    const options = source?.options(environment);
    if (options && isOfConsul(options)) return options;
    throw new CommandError(`--settings ${settings} is not what consulConfig(...) returns`);
  }
  const schema = text('schema');
  const options: Record<string, unknown> = {
    agent,
    name: text('name'),
    profiles: values.profile,
    prefix: text('prefix'),
    format: text('format'),
    dataKey: text('data-key'),
    order: text('order'),
    secrets: values.secret,
    schema: schema === undefined ? undefined : await loadSchema(schema),
  };
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return resolveConsulConfig(Object.fromEntries(given), environment);
}

async function loadSchema(reference: string): Promise<ConfigSchema> {
  const schema = await loadExport('--schema', reference, 'default');
  if (configSourceOf(schema))
    throw new CommandError(`--schema ${reference} is what consulConfig(...) returned: use --settings`);
  return schema as ConfigSchema;
}

/** `./settings.js`, or `./settings.js#settings` for an export with another name than usual. */
async function loadExport(option: string, reference: string, usual: string): Promise<unknown> {
  const [file = '', name = usual] = reference.split('#');
  if (/\.[cm]?ts$/.test(file))
    throw new CommandError(`${option} ${file}: name the built file, such as dist/settings.js`);
  let module: Record<string, unknown>;
  try {
    module = (await import(pathToFileURL(resolve(file)).href)) as Record<string, unknown>;
  } catch (error) {
    throw new CommandError(`${option} ${file}: ${errorMessage(error).split('\n')[0]}`);
  }
  // Of a CommonJS file, the exports are below `default`.
  const exported = module[name] ?? (module.default as Record<string, unknown> | undefined)?.[name];
  if (exported !== undefined) return exported;
  const [close] = closeNames(name, Object.keys(module));
  const known =
    close === undefined ? `it has ${Object.keys(module).join(', ') || 'none'}` : `is it ${close}?`;
  throw new CommandError(`${option} ${file} has no export "${name}"; ${known}`);
}
