#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { EmbeddedData } from './data/load-data.js';
import { EmbeddedConsul, type EmbeddedConsulOptions } from './embedded-consul.js';

const USAGE = `usage: embedded-consul [options]

  --port 8500                where it listens; 0: a free port
  --host 127.0.0.1
  --socket PATH              a Unix socket instead
  --node NAME
  --node-meta KEY=VALUE      may be repeated
  --datacenter dc1
  --acl TOKEN                ACLs, with this management token
  --default-policy deny      or allow, with --acl
  --compatibility 1.8        or latest
  --script-checks            runs the programs of script checks
  --data FILE                JSON with "services", as they are registered, and "kv"
  --help`;

/** An option that cannot be used, with the usage beside it. */
class UsageError extends Error {}

function parse() {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '8500' },
      host: { type: 'string', default: '127.0.0.1' },
      socket: { type: 'string' },
      node: { type: 'string' },
      'node-meta': { type: 'string', multiple: true, default: [] },
      datacenter: { type: 'string' },
      acl: { type: 'string' },
      'default-policy': { type: 'string' },
      compatibility: { type: 'string' },
      'script-checks': { type: 'boolean', default: false },
      data: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  return values;
}

type Values = ReturnType<typeof parse>;

function optionsOf(values: Values): EmbeddedConsulOptions {
  const { acl, socket, node, datacenter, data } = values;
  const defaultPolicy = oneOf('default-policy', values['default-policy'], ['allow', 'deny']);
  if (defaultPolicy !== undefined && acl === undefined)
    throw new UsageError('--default-policy: needs --acl and a token, as without it everything is allowed');
  const compatibility = oneOf('compatibility', values.compatibility, ['1.8', 'latest']);
  return {
    port: portOf(values.port),
    host: values.host,
    nodeMeta: Object.fromEntries(values['node-meta'].map(metaOf)),
    enableScriptChecks: values['script-checks'],
    ...(socket === undefined ? {} : { socket }),
    ...(node === undefined ? {} : { node }),
    ...(datacenter === undefined ? {} : { datacenter }),
    ...(compatibility === undefined ? {} : { compatibility }),
    ...(data === undefined ? {} : { data: readData(data) }),
    ...(acl === undefined
      ? {}
      : { acl: { managementToken: acl, ...(defaultPolicy === undefined ? {} : { defaultPolicy }) } }),
  };
}

function portOf(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new UsageError(`--port ${text}: must be an integer from 0 to 65535`);
  return port;
}

function metaOf(pair: string): [string, string] {
  const at = pair.indexOf('=');
  if (at < 1) throw new UsageError(`--node-meta ${pair}: must be KEY=VALUE`);
  return [pair.slice(0, at), pair.slice(at + 1)];
}

function oneOf<T extends string>(
  name: string,
  value: string | undefined,
  allowed: readonly T[],
): T | undefined {
  if (value === undefined) return undefined;
  const found = allowed.find((each) => each === value);
  if (found === undefined) throw new UsageError(`--${name} ${value}: must be ${allowed.join(' or ')}`);
  return found;
}

function readData(path: string): EmbeddedData {
  try {
    const data: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof data === 'object' && data !== null && !Array.isArray(data)) return data;
  } catch (error) {
    throw new Error(`--data ${path}: ${(error as Error).message}`, { cause: error });
  }
  throw new Error(`--data ${path}: must be an object with "services" and "kv"`);
}

async function run(): Promise<void> {
  const values = parse();
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  const consul = await EmbeddedConsul.start({ ...optionsOf(values), onLeave: () => setImmediate(end) });
  const page = values.socket === undefined ? ` It shows itself at ${consul.url}/ui/.` : '';
  process.stdout.write(
    `embedded-consul at ${consul.url}: for development and tests, in memory.${page} Ctrl-C ends it.\n`,
  );
  function end(): void {
    void consul.stop();
  }
  process.once('SIGINT', end);
  process.once('SIGTERM', end);
}

run().catch((error: unknown) => {
  const message = error instanceof Error ? error.message : String(error);
  const isUsage =
    error instanceof UsageError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS');
  process.stderr.write(`${message}\n${isUsage ? `${USAGE}\n` : ''}`);
  process.exitCode = 1;
});
