// `npm run bench -- registries`: what an app costs that uses 500 services of 10 instances, on Consul and on etcd.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { EtcdClient } from '@rookery/etcd';
import { ConsulAgent, EtcdServer } from '@rookery/test-support';

const SERVICES = 500;
const INSTANCES = 10;
const IDLE_MS = 60_000;

const services = Array.from({ length: SERVICES }, (_, n) => `service-${n}`);
const META = { version: '1.2.3', zone: 'eu-1a', tier: 'gold', commit: '0123456789abcdef' };
const TAGS = ['v1', 'http', 'blue'];

/** Registers all, eight services at a time. */
async function fill(put) {
  for (let n = 0; n < SERVICES; n += 8)
    await Promise.all(
      services.slice(n, n + 8).map(async (service) => {
        for (let at = 0; at < INSTANCES; at++) await put(service, `${service}-${at}`, 3_000 + at);
      }),
    );
}

const REGISTRIES = {
  Consul: async () => {
    const agent = await ConsulAgent.start();
    await fill((Service, ID, Port) =>
      agent.request('PUT', '/v1/catalog/register', {
        Node: 'external',
        Address: '127.0.0.1',
        SkipNodeUpdate: true,
        Service: { Service, ID, Port, Tags: TAGS, Meta: META },
      }),
    );
    return { url: agent.url, stop: () => agent.stop() };
  },
  etcd: async () => {
    const server = await EtcdServer.start();
    const client = EtcdClient.create({ endpoints: server.url }, {});
    const value = (port) =>
      JSON.stringify({ address: '127.0.0.1', port, tags: TAGS, meta: META, node: 'external' });
    await fill((service, id, port) => client.kv.put(`/rookery/services/${service}/${id}`, value(port)));
    client.close();
    return { url: server.url, stop: () => server.stop() };
  },
};

export async function benchRegistries() {
  const rows = [];
  for (const [registry, start] of Object.entries(REGISTRIES)) {
    const { url, stop } = await start();
    const app = fork(fileURLToPath(new URL('app.mjs', import.meta.url)), {
      execArgv: ['--expose-gc'],
      env: { ...process.env, BENCH_REGISTRY: JSON.stringify({ registry, url, services, idleMs: IDLE_MS }) },
    });
    const [measured] = await once(app, 'message');
    rows.push({ registry, ...measured });
    await once(app, 'exit');
    await stop();
  }
  console.log(
    `\n${SERVICES} services of ${INSTANCES} instances   loaded s   heap MiB   B/instance   idle: requests/min   % of a core`,
  );
  for (const { registry, instances, loadedMs, heapBytes, requestsPerMinute, cpuPercent } of rows)
    console.log(
      registry.padEnd(30) +
        (loadedMs / 1_000).toFixed(2).padStart(12) +
        (heapBytes / 2 ** 20).toFixed(1).padStart(11) +
        (heapBytes / instances).toFixed(0).padStart(13) +
        requestsPerMinute.toFixed(0).padStart(21) +
        cpuPercent.toFixed(2).padStart(14),
    );
  console.log(
    'etcd: and a progress request on its one stream every two seconds in which nothing else arrives',
  );
  const folder = fileURLToPath(new URL('../results', import.meta.url));
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/registries.json`, `${JSON.stringify({ rows }, null, 2)}\n`);
}
