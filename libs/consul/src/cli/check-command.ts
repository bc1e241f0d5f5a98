import { pathToFileURL } from 'node:url';
import { resolve } from 'node:path';
import { errorMessage } from '@rookery/discovery/adapter';
import type { KvEntry } from '../client/api/types.js';
import { ConsulClient } from '../client/consul-client.js';
import { resolveConfigOptions, type ConsulConfigOptions } from '../config/config-options.js';
import { loadReaders } from '../config/layers/documents.js';
import { ignoredKeys } from '../config/layers/read-layer.js';
import { ConfigBuilder } from '../config/live/build-version.js';
import { SecretPaths } from '../config/secret-paths.js';
import { loadValidator, type ConfigSchema } from '../config/values/validate-values.js';
import { parseCommand, positionals, type ParsedCommand } from './command-options.js';
import { readKeyFolder, valueOfFile } from './key-folder.js';
import { UsageError, type Terminal } from './terminal.js';

/** `check [FOLDER]`: reads the trees of a service as the app would, from a folder or from Consul. Exit code 1: something is wrong. */
export async function check(args: readonly string[], terminal: Terminal): Promise<number> {
  const command = parseCommand(args, {
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
  const options = resolveConfigOptions(await configOptions(command), terminal.environment);
  const entries =
    folder === undefined
      ? await entriesInConsul(command, options.paths, terminal)
      : await entriesInFolder(folder, (command.values.prefix as string | undefined) ?? 'config');
  const [readers, validate] = await Promise.all([loadReaders(options.format), loadValidator(options.schema)]);
  const builder = new ConfigBuilder({
    ...options,
    readers,
    validate,
    secrets: new SecretPaths(options.secrets),
  });
  const layers = options.paths.map((path) => ({
    path,
    entries: entries.filter(({ key }) => key.startsWith(path)),
  }));
  const { problems } = await builder.build(layers);
  for (const { path, entries: keys } of layers) {
    terminal.tell(`${path}: ${keys.length} ${keys.length === 1 ? 'key' : 'keys'}\n`);
    for (const key of ignoredKeys(path, keys, options)) terminal.tell(`  ignored: ${key}\n`);
  }
  for (const { key, reason } of problems) terminal.print(`${key}: ${reason}\n`);
  terminal.tell(
    problems.length === 0 ? 'ok\n' : `${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}\n`,
  );
  return problems.length === 0 ? 0 : 1;
}

async function configOptions({ values, agent }: ParsedCommand): Promise<ConsulConfigOptions> {
  const text = (name: string): string | undefined => values[name] as string | undefined;
  const options: Record<string, unknown> = {
    agent,
    name: text('name'),
    profiles: values.profile,
    prefix: text('prefix'),
    format: text('format'),
    dataKey: text('data-key'),
    order: text('order'),
    secrets: values.secret,
    schema: text('schema') === undefined ? undefined : await loadSchema(text('schema') ?? ''),
  };
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** `./settings.mjs`, or `./settings.mjs#Settings` for an export with a name. */
async function loadSchema(reference: string): Promise<ConfigSchema> {
  const [file = '', name = 'default'] = reference.split('#');
  let module: Record<string, unknown>;
  try {
    module = (await import(pathToFileURL(resolve(file)).href)) as Record<string, unknown>;
  } catch (error) {
    throw new UsageError(`--schema ${file}: ${errorMessage(error).split('\n')[0]}`);
  }
  // Of a CommonJS file, the exports are below `default`.
  const exported = module[name] ?? (module.default as Record<string, unknown> | undefined)?.[name];
  if (exported !== undefined) return exported as ConfigSchema;
  throw new UsageError(
    `--schema ${file} has no export "${name}"; it has ${Object.keys(module).join(', ') || 'none'}`,
  );
}

async function entriesInConsul(
  { agent }: ParsedCommand,
  paths: readonly string[],
  terminal: Terminal,
): Promise<KvEntry[]> {
  const client = ConsulClient.create(agent, terminal.environment);
  try {
    const trees = await Promise.all(paths.map((path) => client.kv.list(path, { signal: terminal.signal })));
    return trees.flatMap(({ body }) => body);
  } finally {
    await client.close();
  }
}

async function entriesInFolder(folder: string, prefix: string): Promise<KvEntry[]> {
  const { keys } = await readKeyFolder(folder, prefix);
  return keys.map((file) => ({
    key: file.key,
    value: valueOfFile(file),
    flags: 0,
    createIndex: 0,
    modifyIndex: 0,
    lockIndex: 0,
    session: undefined,
  }));
}
