import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  DiscoveryEvents,
  DiscoveryService,
  EtcdClient,
  EtcdModule,
  type EtcdModuleOptions,
  RegistrationService,
  ServiceClientFactory,
  type TimedDiscoveryEvent,
} from '@rookery/etcd';
import { EtcdServer, eventually, figure, seededRandom, TcpProxy } from '@rookery/test-support';
import { CallLoad } from './call-load.js';

const PREFIX = '/rookery/services';
const QUIET = { logger: false, abortOnError: false } as const;

@Controller('books')
class BooksController {
  @Get()
  list() {
    return ['Dune'];
  }
}

describe('etcd under faults', () => {
  const cleanUps: (() => unknown)[] = [];
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  const startServer = async (): Promise<EtcdServer> => {
    const server = await EtcdServer.start();
    cleanUps.push(() => server.stop());
    return server;
  };
  const startClient = (...endpoints: string[]): EtcdClient => {
    const client = EtcdClient.create({ endpoints }, {});
    cleanUps.push(() => client.close());
    return client;
  };
  const startApp = async (options: EtcdModuleOptions) => {
    class AppModule {}
    const shutdown = { drainTimeout: 0, deregisterTimeout: '1s' };
    const etcd = EtcdModule.forRoot({ shutdown, ...options });
    Module({ imports: [etcd], controllers: [BooksController] })(AppModule);
    const app = await NestFactory.create(AppModule, QUIET);
    await app.listen(0, '127.0.0.1');
    cleanUps.push(() => app.close());
    const events: TimedDiscoveryEvent[] = [];
    app.get(DiscoveryEvents).events$.subscribe((event) => events.push(event));
    const { port } = (app.getHttpServer() as { address(): AddressInfo }).address();
    return { app, events, port, discovery: app.get(DiscoveryService) };
  };
  const put = (client: EtcdClient, service: string, id: string, port: number): Promise<bigint> =>
    client.kv.put(`${PREFIX}/${service}/${id}`, JSON.stringify({ address: '127.0.0.1', port }));

  it('F30 etcd is restarted 12 times, half of them without its data: the app is registered again each time', async () => {
    const server = await startServer();
    const { app, port } = await startApp({ endpoints: server.url, service: { name: 'app' }, leaseTtl: '5s' });
    const client = startClient(server.url);
    const registration = app.get(RegistrationService);
    const isHeld = async (): Promise<boolean> => {
      const { values } = await client.kv.range({ prefix: `${PREFIX}/app/` });
      const [held] = values;
      if (!held?.value.toString().includes(`"port":${port}`)) return false;
      // With a lease that is kept: of the old one it will soon be gone.
      return (await client.lease.timeToLive(held.lease)) !== undefined;
    };
    await eventually(isHeld);
    const random = seededRandom(30);
    const took: number[] = [];
    for (let restart = 0; restart < 12; restart++) {
      await server.kill();
      if (restart % 2 === 1) server.wipe();
      // Longer than the lease, once.
      await sleep(restart === 11 ? 11_000 : 300 + 1_500 * random());
      await server.relaunch();
      const begun = performance.now();
      await eventually(isHeld, { within: 10_000, every: 20 });
      took.push(performance.now() - begun);
      await eventually(() => registration.status.state === 'registered');
    }
    figure(
      'F30',
      `registered again ${Math.max(...took).toFixed(0)} ms after etcd was back, at worst of ${took.length}`,
    );
    expect(Math.max(...took)).toBeLessThanOrEqual(10_000);
  }, 180_000);

  it('F31 history is compacted while the watch is cut off: the list is right, with nothing foreign in it', async () => {
    const server = await startServer();
    const client = startClient(server.url);
    const proxy = await TcpProxy.start(server.port);
    cleanUps.push(() => proxy.stop());
    for (let n = 0; n < 20; n++) await put(client, 'app', `app-${n}`, 4_000 + n);
    await put(client, 'app2', 'foreign', 5_000);
    const { discovery, events } = await startApp({ endpoints: proxy.url });
    const ids = async (): Promise<string> =>
      (await discovery.getInstances('app'))
        .map(({ id }) => id)
        .sort()
        .join(' ');
    await eventually(async () => (await discovery.getInstances('app')).length === 20);
    const random = seededRandom(31);
    const rounds = 5;
    for (let round = 0; round < rounds; round++) {
      proxy.cut();
      // A few leave, others come, and nothing of it is in the history.
      for (let n = 0; n < 3; n++) await client.kv.delete(`${PREFIX}/app/app-${Math.floor(random() * 20)}`);
      await put(client, 'app', `new-${round}`, 6_000 + round);
      const revision = await put(client, 'app2', `foreign-${round}`, 5_001 + round);
      await client.kv.compact(revision);
      proxy.restore();
      const expected = (await client.kv.range({ prefix: `${PREFIX}/app/` })).values
        .map(({ key }) => key.slice(`${PREFIX}/app/`.length))
        .sort()
        .join(' ');
      await eventually(async () => (await ids()) === expected, { within: 30_000 });
    }
    figure(
      'F31',
      `${rounds} compactions while cut off: the list was right after each, in ${events.length} events`,
    );
    expect(events.filter(({ type }) => type === 'service.unavailable')).toEqual([]);
    expect(await ids()).not.toContain('foreign');
  }, 120_000);

  describe('a cluster of three', () => {
    const PER_SECOND = 300;

    it('F30 the leader is killed, and the member that is used is stopped, under 300 calls a second: no call fails, no list is lost', async () => {
      const servers = await EtcdServer.startMembers(3);
      cleanUps.push(() => Promise.all(servers.map((server) => server.stop())));
      const endpoints = servers.map(({ url }) => url);
      for (let n = 0; n < 3; n++)
        await startApp({ endpoints, service: { name: 'inventory', id: `inventory-${n}` } });
      const caller = await startApp({ endpoints });
      const { axiosRef } = caller.app.get(ServiceClientFactory).create('inventory');
      await eventually(async () => (await caller.discovery.getInstances('inventory')).length === 3);
      const load = new CallLoad(async () => {
        await axiosRef.get('/books');
        return undefined;
      }).start(PER_SECOND);
      await sleep(2_000);
      const leaders = await Promise.all(servers.map((server) => server.isLeader()));
      const leader = servers[leaders.indexOf(true)];
      if (!leader) throw new Error('no leader');
      await leader.kill();
      await sleep(4_000);
      await leader.relaunch();
      await sleep(1_000);
      // Of the three, the one that is used is among them.
      const noticed: number[] = [];
      for (const server of servers) {
        const before = caller.events.length;
        server.pause();
        const begun = performance.now();
        const isSwitched = (): boolean =>
          caller.events.slice(before).some((event) => event.type === 'registry.switched');
        await eventually(isSwitched, { within: 8_000, every: 20 }).then(
          () => noticed.push(performance.now() - begun),
          () => undefined,
        );
        server.resume();
        await sleep(2_000);
      }
      await load.stop();
      figure(
        'F30',
        `${load.calls.length} calls, ${load.failures.length} failed; a member that was stopped was left after ${noticed.map((ms) => (ms / 1_000).toFixed(1)).join(', ')} s`,
      );
      expect(load.calls.length).toBeGreaterThan(2_000);
      expect(load.failures).toEqual([]);
      expect(caller.events.filter(({ type }) => type === 'service.unavailable')).toEqual([]);
      expect(noticed.length).toBeGreaterThan(0);
      expect(Math.max(...noticed)).toBeLessThan(25_000);
      await eventually(async () => (await caller.discovery.getInstances('inventory')).length === 3);
    }, 120_000);
  });

  it('what is no etcd is named as such: a web server, and a port where nothing answers', async () => {
    const web = createServer((_, response) => response.writeHead(404).end('no such page'));
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    cleanUps.push(() => {
      web.closeAllConnections();
      web.close();
    });
    const { port } = web.address() as AddressInfo;
    const { kv } = startClient(`127.0.0.1:${port}`);
    const error = await kv.get('a').catch((thrown: unknown) => thrown);
    expect(String(error)).toMatch(/is it no etcd|Is that an etcd|Is etcd listening/);
  });
});
