import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually, figure, startCluster, type ConsulCluster } from '@rookery/test-support';
import { putInstance, startWatching } from './watching-app.js';

describe('the first of several agents is frozen', () => {
  let cluster: ConsulCluster;
  beforeAll(async () => {
    cluster = await startCluster({ servers: 1, clients: 2 });
  }, 120_000);
  afterAll(() => cluster.stop());

  it('F55 changes are seen through the next one, no list is lost, and the first is used again', async () => {
    const [first, second] = cluster.clients;
    const [server] = cluster.servers;
    if (!first || !second || !server) throw new Error('a cluster of three agents');
    const services = Array.from({ length: 10 }, (_, n) => `frozen-${n}`);
    for (const service of services) await putInstance(server, service, `${service}-a`, 4001);
    const app = await startWatching({ agent: { url: [first.url, second.url] } });
    for (const service of services) await app.ids(service);

    first.pause();
    const frozen = performance.now();
    for (const service of services) await putInstance(server, service, `${service}-b`, 4002);
    await eventually(
      async () =>
        (await Promise.all(services.map((service) => app.ids(service)))).every((ids) => ids.length === 2),
      { within: 25_000, every: 20 },
    );
    const seen = performance.now() - frozen;
    figure('F55', `ten changes seen ${Math.round(seen)} ms after the first agent froze`);
    expect(app.events.filter(({ type }) => type === 'list.stale')).toEqual([]);

    first.resume();
    await eventually(async () => (await first.request('GET', '/v1/status/leader')).status === 200);
    second.pause();
    for (const service of services) await putInstance(server, service, `${service}-c`, 4003);
    await eventually(
      async () =>
        (await Promise.all(services.map((service) => app.ids(service)))).every((ids) => ids.length === 3),
      { within: 25_000, every: 20 },
    );
    second.resume();
    await app.close();
  }, 120_000);
});
