import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ConsulAgent, eventually, figure, type AppProcess } from '@rookery/test-support';
import { expectWithin } from './expect-within.js';
import { startFaultApp } from './fault-app.js';
import { FaultProxy } from './fault-proxy.js';
import { putInstance, removeInstance, startWatching, type WatchingApp } from './watching-app.js';

/** Calls in sequence until it is stopped. */
class Callers {
  calls = 0;
  readonly failures: string[] = [];
  #isOver = false;
  readonly #ended: Promise<void>;

  constructor(app: WatchingApp, service = 'stock') {
    this.#ended = (async () => {
      while (!this.#isOver) {
        this.calls++;
        await app.discovery
          .call(service, async ({ port }, signal) => {
            const answer = await fetch(`http://127.0.0.1:${port}/`, { signal });
            await answer.arrayBuffer();
          })
          .catch((error: unknown) => this.failures.push(String(error)));
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    })();
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#ended;
  }
}

describe('lists under faults of the registry', () => {
  let agent: ConsulAgent;
  let proxy: FaultProxy;
  let app: WatchingApp;
  let servers: Server[];
  const listen = async (): Promise<Server> => {
    const server = createServer((_, response) => response.end('ok')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return server;
  };
  const portOf = (server: Server | undefined): number => (server?.address() as AddressInfo).port;
  const shut = async (server: Server | undefined): Promise<void> => {
    if (!server?.listening) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };

  beforeEach(async () => {
    agent = await ConsulAgent.start();
    proxy = await FaultProxy.start(agent.url);
    app = await startWatching({ agent: { url: proxy.url } });
    servers = await Promise.all([listen(), listen(), listen()]);
    for (const [n, server] of servers.entries())
      await putInstance(agent, 'stock', `s${n + 1}`, portOf(server));
    await eventually(async () => (await app.ids('stock')).length === 3, { within: 30_000 });
  });
  afterEach(async () => {
    await app.close();
    await proxy.stop();
    await agent.stop();
    await Promise.all(servers.map(shut));
  });

  it('F09 Consul answers with an empty list, once: no call fails', async () => {
    const callers = new Callers(app);
    let lies = 0;
    proxy.fault = (path) =>
      path.includes('/v1/health/service/stock') && lies++ === 0 ? { edit: () => '[]' } : undefined;
    await putInstance(agent, 'unrelated', 'u', 1);
    await putInstance(agent, 'stock', 's1', portOf(servers[0]), { Meta: { n: '1' } });
    await eventually(() => app.events.some(({ type }) => type === 'list.rejected'), { within: 30_000 });
    await callers.stop();
    const dismissed = app.events.find(({ type }) => type === 'list.rejected');
    figure(
      'F09',
      `empty once: ${callers.calls} calls, ${callers.failures.length} failed; ${JSON.stringify(dismissed)}`,
    );
    expect(callers.failures).toEqual([]);
    expect((await app.ids('stock')).length).toBe(3);
  });

  it('F09 every list is empty for 20 s, those of consistent reads too: no call fails', async () => {
    const callers = new Callers(app);
    proxy.fault = (path) => (path.includes('/v1/health/service/stock') ? { edit: () => '[]' } : undefined);
    await putInstance(agent, 'stock', 's1', portOf(servers[0]), { Meta: { n: '1' } });
    await eventually(() => app.events.some(({ type }) => type === 'list.suspect'));
    await new Promise((resolve) => setTimeout(resolve, 20_000));
    expect((await app.discovery.explain('stock')).instances.map(({ state }) => state)).toEqual([
      'suspect',
      'suspect',
      'suspect',
    ]);
    proxy.fault = () => undefined;
    await putInstance(agent, 'stock', 's1', portOf(servers[0]), { Meta: { n: '2' } });
    await eventually(async () => (await app.discovery.explain('stock')).lists[0]?.state === 'current', {
      within: 30_000,
    });
    await callers.stop();
    figure('F09', `empty for 20 s: ${callers.calls} calls, ${callers.failures.length} failed`);
    expect(callers.failures).toEqual([]);
  }, 90_000);

  it('F09 Consul is restarted empty while the instances live: no call fails until they are registered again', async () => {
    // Without the proxy: kept-alive connections of a proxy would hide the restart.
    await app.close();
    app = await startWatching({ agent: { url: agent.url } });
    await eventually(async () => (await app.ids('stock')).length === 3);
    const callers = new Callers(app);
    await agent.restart();
    await eventually(() => app.events.some(({ type }) => type === 'list.suspect'), { within: 30_000 });
    for (const [n, server] of servers.entries())
      await putInstance(agent, 'stock', `s${n + 1}`, portOf(server));
    await eventually(async () => (await app.discovery.explain('stock')).lists[0]?.state === 'current', {
      within: 30_000,
    });
    await callers.stop();
    figure('F09', `Consul restarted empty: ${callers.calls} calls, ${callers.failures.length} failed`);
    expect(callers.failures).toEqual([]);
    expect(app.events.filter(({ type }) => type === 'instance.removed')).toEqual([]);
  }, 60_000);

  it('F10 all instances end and are deregistered: the list is empty at once', async () => {
    await Promise.all(servers.map(shut));
    const begun = performance.now();
    for (const id of ['s1', 's2', 's3']) await removeInstance(agent, id);
    await eventually(async () => (await app.ids('stock')).length === 0, { within: 30_000, every: 5 });
    const took = performance.now() - begun;
    figure('F10', `sockets refuse: empty after ${Math.round(took)} ms`);
    expectWithin(took, 1_000);
    await eventually(() => app.events.some(({ type }) => type === 'service.unavailable'));
  });

  it('F10 all are deregistered although they answer: empty after 30 s', async () => {
    const begun = performance.now();
    for (const id of ['s1', 's2', 's3']) await removeInstance(agent, id);
    await eventually(() => app.events.some(({ type }) => type === 'list.suspect'));
    await eventually(async () => (await app.ids('stock')).length === 0, { within: 160_000, every: 20 });
    const took = performance.now() - begun;
    figure('F10', `sockets answer: empty after ${(took / 1000).toFixed(1)} s`);
    expect(took).toBeGreaterThan(20_000);
    expectWithin(took, 30_000);
  }, 200_000);

  it('F08 Consul is gone: the last list is served, its age rises, and an instance that dies meanwhile is not used', async () => {
    const callers = new Callers(app);
    await agent.kill();
    proxy.resetAll();
    await eventually(() => app.events.some(({ type }) => type === 'list.stale'), { within: 30_000 });
    await shut(servers[1]);
    await eventually(async () => (await app.ids('stock')).join() === 's1,s3', { within: 30_000 });
    const { snapshot, instances } = await app.discovery.explain('stock');
    expect(instances.map(({ state }) => state)).toEqual(['eligible', 'unreachable', 'eligible']);
    await eventually(
      async () =>
        ((await app.discovery.explain('stock')).snapshot?.ageMs ?? 0) > (snapshot?.ageMs ?? 0) + 1_000,
    );
    await callers.stop();
    const sent = callers.failures.filter((failure) => !/not sent|ECONNREFUSED/.test(failure));
    figure(
      'F08',
      `${callers.calls} calls while Consul and an instance were down, ${callers.failures.length} failed`,
    );
    // One call may have been in flight when the instance ended.
    expect(sent.length).toBeLessThanOrEqual(1);
    await agent.restart();
    for (const n of [0, 2]) await putInstance(agent, 'stock', `s${n + 1}`, portOf(servers[n]));
    await eventually(async () => (await app.discovery.explain('stock')).snapshot?.source === 'live', {
      within: 30_000,
    });
  }, 90_000);
});

describe('a start without Consul', () => {
  let home: string;
  const apps: AppProcess[] = [];
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'rookery-disk-'));
  });
  afterEach(async () => {
    await Promise.all(apps.splice(0).map((app) => app.kill()));
    rmSync(home, { recursive: true });
  });

  it('F08 begins with the lists that an earlier process of the host saved, and ignores a corrupt one', async () => {
    const agent = await ConsulAgent.start();
    await putInstance(agent, 'stock', 's1', 4001);
    await putInstance(agent, 'orders', 'o1', 4002);
    const options = { agent: { url: agent.url }, discovery: { snapshotDirectory: home } };
    const start = async (): Promise<AppProcess> => {
      const app = await startFaultApp({ options });
      apps.push(app);
      return app;
    };
    const ask = async (app: AppProcess, service: string): Promise<unknown> =>
      (await fetch(`${app.url}/instances/${service}`)).json();
    // Several processes write the same files.
    const writers = await Promise.all([start(), start(), start()]);
    await Promise.all(writers.flatMap((app) => [ask(app, 'stock'), ask(app, 'orders')]));
    await eventually(() => readdirSync(home).filter((name) => name.endsWith('.json')).length === 2);
    await agent.stop();
    const late = await start();
    expect(await ask(late, 'stock')).toEqual([expect.objectContaining({ id: 's1', port: 4001 })]);
    expect(await ask(late, 'unknown')).toEqual({ error: 'RK_REGISTRY_UNREACHABLE' });
    const shown = (await (await fetch(`${late.url}/discovery/stock`)).json()) as {
      services: { snapshot: { source: string; age: number } }[];
    };
    expect(shown.services[0]?.snapshot.source).toBe('disk');
    for (const name of readdirSync(home)) writeFileSync(join(home, name), '{"checksum":"no","content":""}');
    const later = await start();
    expect(await ask(later, 'stock')).toEqual({ error: 'RK_REGISTRY_UNREACHABLE' });
    // What it writes comes by another way than its answers.
    await eventually(() => later.output.includes('snapshot.failed'));
    expect(later.output).toMatch(/ignored: wrong checksum/);
  }, 90_000);
});
