import { ignoredKeys, type LayerKeys, createBuilder, unusedValues } from '@rookery/discovery/adapter';
import type { KvEntry } from '../client/api/types.js';
import { ConsulClient } from '../client/consul-client.js';
import type { ResolvedConsulConfig } from '../config/consul-config-options.js';
import { parseCommand, positionals, type ParsedCommand } from './command-options.js';
import { readKeyFolder, valueOfFile } from './key-folder.js';
import { listTree } from './list-tree.js';
import { settingsOf } from './command-settings.js';
import { printable } from './table.js';
import type { Terminal } from './terminal.js';

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
  const options = await settingsOf(command, terminal);
  const prefix = commonPrefix(options.paths);
  const layers =
    folder === undefined
      ? await layersInConsul(command, options, terminal)
      : layersOf(options.paths, await entriesInFolder(folder, prefix));
  const problems = [...emptyTrees(layers), ...(await buildProblems(layers, options, terminal))];
  for (const { path, entries } of layers) {
    terminal.tell(`${path}: ${entries.length} ${entries.length === 1 ? 'key' : 'keys'}\n`);
    for (const key of ignoredKeys(path, entries, options)) terminal.tell(`  ignored: ${printable(key)}\n`);
  }
  for (const problem of problems) terminal.print(`${printable(problem)}\n`);
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
