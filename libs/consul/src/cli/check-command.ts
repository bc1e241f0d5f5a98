import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  closeNames,
  errorMessage,
  configSourceOf,
  ignoredKeys,
  type LayerKeys,
  createBuilder,
  unusedValues,
  type ConfigSchema,
} from '@rookery/discovery/adapter';
import type { KvEntry } from '../client/api/types.js';
import { ConsulClient } from '../client/consul-client.js';
import {
  isOfConsul,
  resolveConsulConfig,
  type ResolvedConsulConfig,
} from '../config/consul-config-options.js';
import { parseCommand, positionals, type ParsedCommand } from './command-options.js';
import { readKeyFolder, valueOfFile } from './key-folder.js';
import { listTree } from './list-tree.js';
import { CommandError, UsageError, type Terminal } from './terminal.js';

const LAYOUT = ['name', 'profile', 'prefix', 'format', 'data-key', 'order', 'schema'] as const;

/** `check [FOLDER]`: reads the trees of a service as the app would, from a folder or from Consul. Exit code 1: something is wrong. */
export async function check(args: readonly string[], terminal: Terminal): Promise<number> {
  const command = parseCommand(args, {
    settings: { type: 'string' },
    name: { type: 'string' },
    profile: { type: 'string', multiple: true },
    prefix: { type: 'string' },
    format: { type: 'string' },
    'data-key': { type: 'string' },
    order: { type: 'string' },
    schema: { type: 'string' },
    secret: { type: 'string', multiple: true },
  });
  const [folder] = positionals(command, [], ['FOLDER']);
  const options = await resolveOptions(command, terminal);
  const prefix = commonPrefix(options.paths);
  const layers =
    folder === undefined
      ? await layersInConsul(command, options, terminal)
      : layersOf(options.paths, await entriesInFolder(folder, prefix));
  const problems = [...emptyTrees(layers), ...(await buildProblems(layers, options, terminal))];
  for (const { path, entries } of layers) {
    terminal.tell(`${path}: ${entries.length} ${entries.length === 1 ? 'key' : 'keys'}\n`);
    for (const key of ignoredKeys(path, entries, options)) terminal.tell(`  ignored: ${key}\n`);
  }
  for (const problem of problems) terminal.print(`${problem}\n`);
  terminal.tell(
    problems.length === 0 ? 'ok\n' : `${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}\n`,
  );
  return problems.length === 0 ? 0 : 1;
}

async function buildProblems(
  layers: readonly LayerKeys[],
  options: ResolvedConsulConfig,
  terminal: Terminal,
): Promise<readonly string[]> {
  const builder = await createBuilder(options);
  const { built, problems } = await builder.build(layers);
  for (const { key, close } of built ? unusedValues(built.tree, built.values) : [])
    terminal.tell(
      `not used, since the schema has no such name: ${key}${close === undefined ? '' : `; there is ${close}`}\n`,
    );
  return problems.map(({ key, reason }) => `${key}: ${reason}`);
}

/** Without any key, the name is more likely wrong than the configuration empty. */
function emptyTrees(layers: readonly LayerKeys[]): readonly string[] {
  if (layers.some(({ entries }) => entries.length > 0)) return [];
  return [`there are no keys below ${layers.map(({ path }) => path).join(', ')}; is the name right?`];
}

async function resolveOptions(
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

async function layersInConsul(
  { agent, values }: ParsedCommand,
  options: ResolvedConsulConfig,
  { signal, environment }: Terminal,
): Promise<LayerKeys[]> {
  const isOwn = values.settings !== undefined && agent.url === undefined;
  const client = isOwn ? new ConsulClient(options.agent) : ConsulClient.create(agent, environment);
  try {
    return await Promise.all(
      options.paths.map(async (path) => ({
        path,
        entries: await listTree(client, path, signal, options.datacenter),
      })),
    );
  } finally {
    await client.close();
  }
}

function layersOf(paths: readonly string[], entries: readonly KvEntry[]): LayerKeys[] {
  return paths.map((path) => ({ path, entries: entries.filter(({ key }) => key.startsWith(path)) }));
}

/** What all trees begin with, up to a slash: the folder stands for it. */
function commonPrefix(paths: readonly string[]): string {
  const [first = [], ...others] = paths.map((path) =>
    path
      .replace(/[^/]*[/.]$/, '')
      .split('/')
      .slice(0, -1),
  );
  const end = first.findIndex((part, index) => others.some((other) => other[index] !== part));
  return (end < 0 ? first : first.slice(0, end)).join('/');
}

async function entriesInFolder(folder: string, prefix: string): Promise<KvEntry[]> {
  const { keys } = await readKeyFolder(folder, prefix);
  const unread = { flags: 0, createIndex: 0, modifyIndex: 0, lockIndex: 0, session: undefined };
  return keys.map((file) => ({ key: file.key, value: valueOfFile(file), ...unread }));
}
