// `npm run bench -- watch`: how long after a change in Consul its snapshot is there, beside a bare blocking query that waits for the same
// change; and what an instance costs in memory.
import { fork } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { EmbeddedConsul } from '@rookery/embedded-consul';
import { ConsulAgent, findConsul } from '@rookery/test-support';
import { median } from '../http/statistics.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const SIZES = [3, 100, 1_000];
/** Changes that come faster are joined: a watch makes a few rounds a second at most. */
const APART_MS = 1_000;

export async function benchWatch(args) {
  const { values } = parseArgs({ args, options: { changes: { type: 'string', default: '20' } } });
  const agent = findConsul() ? await ConsulAgent.start() : await EmbeddedConsul.start();
  try {
    const rows = [];
    for (const size of SIZES) rows.push(await changes(agent.url, size, Number(values.changes)));
    const bytes = await heapPerInstance();
    console.log('\ninstances   bare query ms   snapshot ms   above it ms   ratio');
    for (const { size, bareMs, snapshotMs, aboveMs, ratio } of rows)
      console.log(
        [size, bareMs, snapshotMs, aboveMs, ratio]
          .map((figure, n) => String(figure).padStart([9, 16, 14, 14, 8][n]))
          .join(''),
      );
    console.log(`\nheap of an instance, with its list and its statistics: ${bytes} bytes`);
    mkdirSync(here('../results'), { recursive: true });
    writeFileSync(
      here('../results/watch.json'),
      `${JSON.stringify({ rows, heapPerInstance: bytes }, null, 2)}\n`,
    );
    console.log('written: test/bench/results/watch.json');
  } finally {
    await agent.stop();
  }
}

/** Both wait for each change; who is told first is up to the agent. */
async function changes(url, size, count) {
  const service = `watched-${size}`;
  for (let n = 0; n < size; n++) await register(url, service, n);
  const child = await started('watch.mjs', [url, service]);
  const samples = [];
  try {
    for (let n = 0; n < count; n++) {
      await new Promise((resolve) => setTimeout(resolve, APART_MS + Math.random() * 50));
      const seen = new Promise((resolve) => child.once('message', resolve));
      child.send({ tag: `change-${n}` });
      await register(url, service, 0, `change-${n}`);
      samples.push(await seen);
    }
  } finally {
    child.kill();
  }
  const of = (pick) => Number(median(samples.map(pick)).toPrecision(3));
  return {
    size,
    bareMs: of(({ bareMs }) => bareMs),
    snapshotMs: of(({ snapshotMs }) => snapshotMs),
    aboveMs: of(({ bareMs, snapshotMs }) => snapshotMs - bareMs),
    ratio: of(({ bareMs, snapshotMs }) => snapshotMs / bareMs),
  };
}

/** In a node of the catalog, so that a thousand of them need no agents. */
async function register(url, service, n, tag = 'v1') {
  const response = await fetch(`${url}/v1/catalog/register`, {
    method: 'PUT',
    body: JSON.stringify({
      Node: `node-${n % 50}`,
      Address: `10.0.0.${(n % 50) + 1}`,
      Service: {
        ID: `${service}-${n}`,
        Service: service,
        Port: 3_000 + n,
        Tags: [tag, 'http'],
        Meta: { version: '1.2.0', zone: `zone-${n % 3}` },
      },
      Check: { CheckID: `${service}-${n}`, ServiceID: `${service}-${n}`, Status: 'passing', Name: 'health' },
    }),
  });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
}

async function heapPerInstance() {
  const consul = await EmbeddedConsul.start();
  try {
    const sizes = [100, 2_000];
    for (const size of sizes) for (let n = 0; n < size; n++) await register(consul.url, `heap-${size}`, n);
    const child = await started('heap.mjs', [consul.url, ...sizes.map((size) => `heap-${size}`)]);
    const { bytes } = await new Promise((resolve) => {
      child.once('message', resolve);
      child.send({});
    });
    child.kill();
    return Math.round((bytes[1] - bytes[0]) / (sizes[1] - sizes[0]));
  } finally {
    await consul.stop();
  }
}

async function started(file, args) {
  const child = fork(here(file), args, { execArgv: ['--expose-gc'] });
  await new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', (code) => reject(new Error(`${file} ended with ${code}`)));
  });
  child.removeAllListeners('exit');
  return child;
}
