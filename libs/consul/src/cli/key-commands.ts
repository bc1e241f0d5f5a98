import { SecretPaths } from '@rookery/discovery/adapter';
import { lastValueFrom, takeUntil, fromEvent, tap, defaultIfEmpty } from 'rxjs';
import { ConsulClient } from '../client/consul-client.js';
import { bytesCodec } from '../kv/kv-codec.js';
import { ConsulKv } from '../kv/consul-kv.js';
import type { KvValue } from '../kv/kv-value.js';
import { parseCommand, positionals } from './command-options.js';
import { showChange } from './show-change.js';
import type { Terminal } from './terminal.js';

/** `get KEY`: the bytes of the value, and nothing else. */
export async function get(args: readonly string[], terminal: Terminal): Promise<number> {
  const command = parseCommand(args);
  const [key = ''] = positionals(command, ['KEY']);
  return withKv(command.agent, terminal, async (kv) => {
    const found = await kv.get(key, { codec: bytesCodec, signal: terminal.signal });
    if (!found) {
      terminal.tell(`there is no key ${key}\n`);
      return 1;
    }
    terminal.print(found.value);
    return 0;
  });
}

/** `put KEY VALUE`, or `put KEY -` for standard input. */
export async function put(args: readonly string[], terminal: Terminal): Promise<number> {
  const command = parseCommand(args);
  const [key = '', value = ''] = positionals(command, ['KEY', 'VALUE']);
  const bytes = value === '-' ? await terminal.readInput() : Buffer.from(value);
  return withKv(command.agent, terminal, async (kv) => {
    await kv.put<Uint8Array>(key, bytes, { codec: bytesCodec, signal: terminal.signal });
    terminal.tell(`${key}: ${bytes.length} bytes written\n`);
    return 0;
  });
}

/** `delete KEY`. Exit code 1: there was none. */
export async function remove(args: readonly string[], terminal: Terminal): Promise<number> {
  const command = parseCommand(args);
  const [key = ''] = positionals(command, ['KEY']);
  return withKv(command.agent, terminal, async (kv) => {
    const { signal } = terminal;
    const found = await kv.get(key, { codec: bytesCodec, signal });
    if (found) await kv.delete(key, { signal });
    terminal.tell(found ? `${key}: deleted\n` : `there is no key ${key}\n`);
    return found ? 0 : 1;
  });
}

/** `watch PREFIX`: a line for each key that is there, and for each change, until Ctrl-C. */
export async function watch(args: readonly string[], terminal: Terminal): Promise<number> {
  const command = parseCommand(args, { secret: { type: 'string', multiple: true } });
  const [prefix = ''] = positionals(command, ['PREFIX']);
  const secrets = new SecretPaths((command.values.secret as string[] | undefined) ?? []);
  return withKv(command.agent, terminal, async (kv, client) => {
    // A watch retries for ever; a wrong address or token is said at once instead.
    await client.kv.keys(prefix, { separator: '/', signal: terminal.signal });
    let known = new Map<string, KvValue<Uint8Array>>();
    const show = (tree: readonly KvValue<Uint8Array>[]): void => {
      const next = new Map(tree.map((entry) => [entry.key, entry]));
      for (const key of new Set([...known.keys(), ...next.keys()])) {
        const [before, after] = [known.get(key), next.get(key)].map(
          (entry) => entry && Buffer.from(entry.value),
        );
        if (before && after?.equals(before)) continue;
        const kind = before ? (after ? 'update' : 'delete') : 'create';
        terminal.print(`${showChange({ kind, key, before, after }, secrets)}\n`);
      }
      known = next;
    };
    const end = fromEvent(terminal.signal, 'abort');
    const trees = kv
      .watchTree(prefix, { codec: bytesCodec })
      .pipe(tap(show), takeUntil(end), defaultIfEmpty([]));
    await lastValueFrom(trees);
    return 0;
  });
}

/** A client for one command. */
export async function withKv(
  agent: Parameters<typeof ConsulClient.create>[0],
  { environment }: Terminal,
  work: (kv: ConsulKv, client: ConsulClient) => Promise<number>,
): Promise<number> {
  const client = ConsulClient.create(agent, environment);
  const kv = new ConsulKv(client);
  try {
    return await work(kv, client);
  } finally {
    kv.beforeApplicationShutdown();
    await client.close();
  }
}
