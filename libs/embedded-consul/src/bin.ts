#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { EmbeddedConsul } from './embedded-consul.js';

const USAGE = 'usage: embedded-consul [--port 8500] [--host 127.0.0.1] [--node NAME] [--datacenter dc1]';

async function run(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '8500' },
      host: { type: 'string', default: '127.0.0.1' },
      node: { type: 'string' },
      datacenter: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new Error(`--port ${values.port}: must be an integer from 0 to 65535`);
  }
  const consul = await EmbeddedConsul.start({
    port,
    host: values.host,
    ...(values.node === undefined ? {} : { node: values.node }),
    ...(values.datacenter === undefined ? {} : { datacenter: values.datacenter }),
  });
  process.stdout.write(
    `embedded-consul at ${consul.url}: for development and tests, in memory. Ctrl-C ends it.\n`,
  );
  const end = (): void => void consul.stop();
  process.once('SIGINT', end);
  process.once('SIGTERM', end);
}

run().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}\n`);
  process.exitCode = 1;
});
