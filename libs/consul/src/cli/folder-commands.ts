import { DiscoveryError } from '@rookery/discovery';
import { isRefused, SecretPaths } from '@rookery/discovery/adapter';
import type { ConsulClient } from '../client/consul-client.js';
import { keyIssue } from '../client/api/kv-key.js';
import { bytesCodec } from '../kv/kv-codec.js';
import type { ConsulKv } from '../kv/consul-kv.js';
import { KvTransactionError } from '../kv/kv-transaction-error.js';
import { parseCommand, positionals, type ParsedCommand } from './command-options.js';
import {
  fitsTransaction,
  planImport,
  toOperation,
  toTransactions,
  type PlannedChange,
} from './import-plan.js';
import { filesOf, readKeyFolder, writeKeyFolder, type FileKey } from './key-folder.js';
import { withKv } from './key-commands.js';
import { ProgressBar } from './progress-bar.js';
import { isSecretKey, showChange } from './show-change.js';
import { listTree } from './list-tree.js';
import { CommandError, UsageError, type Terminal } from './terminal.js';

const FOLDER_OPTIONS = {
  prefix: { type: 'string' },
  prune: { type: 'boolean' },
  secret: { type: 'string', multiple: true },
} as const;

/** `diff FOLDER`: what `import` would change. Exit code 1: something. */
export async function diff(args: readonly string[], terminal: Terminal): Promise<number> {
  const command = parseCommand(args, FOLDER_OPTIONS);
  const [folder = ''] = positionals(command, ['FOLDER']);
  return withKv(command.agent, terminal, async (_, client) => {
    const changes = await plan(folder, command, terminal, client);
    show(changes, command, terminal);
    return changes.length === 0 ? 0 : 1;
  });
}

/** `import FOLDER`: shows what it would change, asks, and applies it in transactions. */
export async function importFolder(args: readonly string[], terminal: Terminal): Promise<number> {
  const command = parseCommand(args, {
    ...FOLDER_OPTIONS,
    yes: { type: 'boolean' },
    'dry-run': { type: 'boolean' },
  });
  const [folder = ''] = positionals(command, ['FOLDER']);
  return withKv(command.agent, terminal, async (kv, client) => {
    const changes = await plan(folder, command, terminal, client);
    show(changes, command, terminal);
    if (changes.length === 0 || command.values['dry-run']) return 0;
    if (!command.values.yes) {
      if (!terminal.confirm)
        throw new CommandError('nothing was changed: pass --yes to apply it without a question');
      if (!(await terminal.confirm(`Apply ${count(changes)}?`))) {
        terminal.tell('Nothing was changed.\n');
        return 1;
      }
    }
    await apply(changes, kv, terminal);
    terminal.tell(`Applied ${count(changes)}.\n`);
    return 0;
  });
}

/** `export FOLDER`: writes each key below the prefix to a file. */
export async function exportFolder(args: readonly string[], terminal: Terminal): Promise<number> {
  const command = parseCommand(args, { prefix: { type: 'string' }, force: { type: 'boolean' } });
  const [folder = ''] = positionals(command, ['FOLDER']);
  const prefix = prefixOf(command);
  return withKv(command.agent, terminal, async (_, client) => {
    const entries = await listTree(client, prefix === '' ? '' : `${prefix}/`, terminal.signal);
    const names = new SecretPaths();
    const { written, unchanged } = await writeKeyFolder(
      folder,
      filesOf(entries, prefix),
      command.values.force === true,
    );
    terminal.tell(`${folder}: ${written} files written, ${unchanged} as they were\n`);
    if (entries.some(({ key }) => isSecretKey(key, names)))
      terminal.tell('Some of them are secrets: keep the folder out of version control.\n');
    return 0;
  });
}

async function plan(
  folder: string,
  command: ParsedCommand,
  terminal: Terminal,
  client: ConsulClient,
): Promise<PlannedChange[]> {
  const prefix = prefixOf(command);
  const { keys, hidden } = await readKeyFolder(folder, prefix);
  if (hidden.length > 0) terminal.tell(`left out, hidden: ${hidden.join(', ')}\n`);
  // An empty folder is more likely a wrong one than a wish to delete everything.
  if (keys.length === 0) throw new CommandError(`${folder} has no files`);
  assertNotDoubled(folder, prefix, keys);
  const entries = await listTree(client, prefix === '' ? '' : `${prefix}/`, terminal.signal);
  return planImport(entries, keys, command.values.prune === true);
}

function show(changes: readonly PlannedChange[], { values }: ParsedCommand, terminal: Terminal): void {
  const secrets = new SecretPaths((values.secret as string[] | undefined) ?? []);
  for (const change of changes) terminal.print(`${showChange(change, secrets)}\n`);
  terminal.tell(changes.length === 0 ? 'No differences.\n' : `${count(changes)}: ${summary(changes)}\n`);
}

async function apply(changes: readonly PlannedChange[], kv: ConsulKv, terminal: Terminal): Promise<void> {
  const bar = new ProgressBar(changes.length, terminal.progress);
  let done = 0;
  /** How many are written now. */
  let underWay = 0;
  try {
    for (const transaction of toTransactions(changes)) {
      terminal.signal.throwIfAborted();
      underWay = transaction.length;
      await write(transaction, kv, terminal.signal);
      underWay = 0;
      done += transaction.length;
      bar.update(done);
    }
  } catch (error) {
    const before = `${done} of ${changes.length} keys were changed before`;
    // Without a response, or with a fault of the server, it may be in the store all the same.
    const isKnown = underWay === 0 || error instanceof KvTransactionError || isRefused(error);
    const known = done === 0 ? 'Nothing was changed' : before;
    const applied = isKnown ? known : `${before}; whether ${underWay} more were is not known: run diff`;
    if (error instanceof KvTransactionError && error.code === 'RK_TRANSACTION_CONFLICT') {
      const keys = error.failures.map(({ key }) => key);
      throw new DiscoveryError(
        'RK_TRANSACTION_CONFLICT',
        `changed by another writer meanwhile: ${keys.join(', ')}. ${applied}`,
        {
          hint: 'Run diff again',
          cause: error,
        },
      );
    }
    terminal.tell(`${applied}.\n`);
    throw error;
  } finally {
    bar.end();
  }
}

async function write(
  transaction: readonly PlannedChange[],
  kv: ConsulKv,
  signal: AbortSignal,
): Promise<void> {
  const [only] = transaction;
  if (transaction.length > 1 || !only || fitsTransaction(only) || only.after === undefined) {
    await kv.transaction(transaction.map(toOperation), { signal });
    return;
  }
  const { key, after, flags, modifyIndex } = only;
  if (await kv.compareAndSet<Uint8Array>(key, after, modifyIndex, { codec: bytesCodec, flags, signal }))
    return;
  const text = 'index is stale';
  throw new KvTransactionError([toOperation(only)], [{ OpIndex: 0, What: text }]);
}

/** The folder that holds `config`, instead of `config` itself. */
function assertNotDoubled(folder: string, prefix: string, keys: readonly FileKey[]): void {
  const doubled = `${prefix}/${prefix}/`;
  if (prefix === '' || !keys.some(({ key }) => key.startsWith(doubled))) return;
  throw new CommandError(
    `${folder} has a folder ${prefix}, so that keys would begin with ${doubled}; use ${folder}/${prefix}, or another --prefix`,
  );
}

function prefixOf({ values }: ParsedCommand): string {
  const prefix = (values.prefix as string | undefined) ?? 'config';
  const issue = keyIssue(prefix) ?? (prefix.endsWith('/') ? 'ends with a slash' : undefined);
  if (issue === undefined) return prefix;
  throw new UsageError(`--prefix ${JSON.stringify(prefix)} ${issue}; use one such as config`);
}

function count(changes: readonly PlannedChange[]): string {
  return changes.length === 1 ? '1 change' : `${changes.length} changes`;
}

function summary(changes: readonly PlannedChange[]): string {
  return (['create', 'update', 'delete'] as const)
    .map((kind) => [changes.filter((change) => change.kind === kind).length, kind] as const)
    .filter(([number]) => number > 0)
    .map(([number, kind]) => `${number} to ${kind}`)
    .join(', ');
}
