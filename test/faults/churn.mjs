// A million instance changes through the reader of Consul's responses and the watcher, on the built packages; run with
// --expose-gc. The clock is a fake one, since two lists a second would take an hour.
import { Buffer } from 'node:buffer';
import { FakeClock } from '@rookery/test-support';
import { InstanceReader } from '#libs/consul/dist/registry/instance-reader.js';
import { ServiceCatalog } from '#libs/discovery/dist/catalog/service-catalog.js';
import { ReconnectSignal } from '#libs/discovery/dist/registry/reconnect-signal.js';
import { InstanceSource } from '#libs/discovery/dist/registry/instance-source.js';

const { changes, size } = JSON.parse(process.env.CHURN ?? '{}');

const clock = new FakeClock();
let round = 0;
const entry = (n) => ({
  Node: { ID: `n${n}`, Node: `n${n}`, Address: '10.0.0.1', Datacenter: 'dc1', Meta: null },
  Service: {
    // Every tenth one is a new instance in each round, with new strings: nothing of it may be kept.
    ID: n % 10 === 0 ? `web-${n}-${round}` : `web-${n}`,
    Service: 'web',
    Tags: [`t${round % 7}`],
    Address: '',
    Port: 1024 + ((n + round) % 60_000),
    Meta: { round: String(round) },
    Weights: { Passing: 1, Warning: 1 },
  },
  Checks: [{ CheckID: 'c', Status: (n + round) % 5 === 0 ? 'warning' : 'passing', Output: 'x'.repeat(100) }],
});

class Churning extends InstanceSource {
  description = 'churn';
  async *watch() {
    const reader = new InstanceReader();
    for (;;) {
      round++;
      const body = Buffer.from(JSON.stringify(Array.from({ length: size }, (_, n) => entry(n))));
      yield { instances: await reader.read(body), source: 'live' };
    }
  }
  async readConsistent() {
    return [];
  }
  async services() {
    return {};
  }
  async ping() {
    return { leader: true };
  }
  async close() {}
}

let events = 0;
const catalog = new ServiceCatalog(new Churning(), {
  clock,
  random: Math.random,
  logger: console,
  reconnectSignal: new ReconnectSignal(),
  probe: async () => 'refused',
  initialListTimeoutMs: 5_000,
  emit: () => events++,
});
let seen = 0;
for (const query of [{}, { tags: ['t1'] }, { version: '^1' }])
  catalog.watch('web', query).subscribe(({ changes: { changed, added } }) => {
    seen += changed.length + added.length;
  });
const memory = async () => {
  for (let n = 0; n < 4; n++) {
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { rss: process.memoryUsage().rss, heap: process.memoryUsage().heapUsed };
};
const until = async (count) => {
  while (round * size < count) await clock.advance(500);
};
/** RSS rises and falls with garbage collection; a leak raises even the lowest of several samples. */
const look = async (from) => {
  const looks = [];
  for (let n = 0; n < 9; n++) {
    await until(from + (changes / 50) * n);
    looks.push(await memory());
  }
  return { rss: Math.min(...looks.map(({ rss }) => rss)), heap: Math.min(...looks.map(({ heap }) => heap)) };
};
await until(changes * 0.4);
let before = await look(changes * 0.4);
const handles = process.getActiveResourcesInfo().length;
// RSS settles late, and not only by what this process does; a leak grows each time.
let after = await look(changes * 1.6);
for (let more = 1; more < 4 && after.rss > before.rss * 1.05; more++) {
  before = after;
  after = await look(changes * (1.6 + 1.2 * more));
}
const timers = clock.pending;
process.send({
  changes: round * size,
  seen,
  events,
  rss: [before.rss, after.rss],
  heap: [before.heap, after.heap],
  handles: [handles, process.getActiveResourcesInfo().length],
  timers,
});
await catalog.close();
process.exit(0);
