import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { NestFactory } from '@nestjs/core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { ConsulClient, ConsulModule, DnsSource, ServiceClientFactory, StaticSource } from '@rookery/consul';
import { ConsulAgent, eventually, figure, startTwoDatacenters } from '@rookery/test-support';
import { expectWithin } from '../faults/expect-within.js';
import { FaultProxy } from '../faults/fault-proxy.js';
import { putInstance, removeInstance, startWatching, type WatchingApp } from '../faults/watching-app.js';
import { rootModule } from './test-app.js';

describe('instance sources', () => {
  let agent: ConsulAgent;
  const apps: WatchingApp[] = [];
  const start = async (options: Parameters<typeof startWatching>[0]): Promise<WatchingApp> => {
    const app = await startWatching(options);
    apps.push(app);
    return app;
  };
  beforeAll(async () => {
    agent = await ConsulAgent.start();
  });
  afterAll(() => agent.stop());
  afterEach(async () => {
    await Promise.all(apps.splice(0).map((app) => app.close()));
  });

  it('DNS: SRV records of Consul’s own name server, when its API is unreachable', async () => {
    await putInstance(agent, 'by-dns', 'd1', 4001, {
      Address: '127.1.2.3',
      Weights: { Passing: 7, Warning: 1 },
    });
    await putInstance(agent, 'by-dns', 'd2', 4002);
    const dns = new DnsSource({ servers: [`127.0.0.1:${agent.ports.dns}`], interval: '200ms' });
    const away = await FaultProxy.start(agent.url);
    away.fault = () => 'reset';
    const app = await start({ agent: { url: away.url }, discovery: { sources: ['registry', dns] } });
    const found = await eventually(async () => {
      const instances = await app.discovery.getInstances('by-dns');
      return instances.length === 2 && instances;
    });
    const seen = found.map(({ address, port, weight }) => `${address}:${port} ${weight}`).sort();
    expect(seen).toEqual(['127.0.0.1:4002 1', '127.1.2.3:4001 7']);
    await removeInstance(agent, 'd1');
    await eventually(async () => (await app.ids('by-dns')).length === 1);
    // Without an answer of Consul it is not known that there is none.
    await expect(app.ids('never-was')).rejects.toMatchObject({ code: 'RK_REGISTRY_UNREACHABLE' });
    const filtered = dns.readConsistent('by-dns', { filter: 'x' }, new AbortController().signal);
    await expect(filtered).rejects.toThrow(/query\.filter: not supported by DNS/);
    const { lists } = await app.discovery.explain('by-dns');
    expect(lists.map(({ mode, state, inUse }) => [mode, state, inUse])).toEqual([
      ['watched', 'failing', false],
      ['polled', 'current', true],
    ]);
    await away.stop();
  });

  it('DNS: an unreachable name server is an unreachable registry', async () => {
    const dns = new DnsSource({ servers: ['127.0.0.1:1'], timeout: '100ms' });
    const signal = new AbortController().signal;
    await expect(dns.readConsistent('x', {}, signal)).rejects.toMatchObject({
      code: 'RK_REGISTRY_UNREACHABLE',
    });
    await dns.close();
    expect(() => new DnsSource({ servers: ['consul.example'], interval: '1ms' })).toThrow(
      /servers\.0 = "consul\.example": must be a name server's IP address[^]*interval = "1ms"/,
    );
  });

  it('a static list is used while Consul has no usable instance', async () => {
    const fixed = new StaticSource({ 'by-list': ['127.0.0.1:9001'] });
    const app = await start({ agent: { url: agent.url }, discovery: { sources: ['registry', fixed] } });
    expect(await app.ids('by-list')).toEqual(['by-list-127.0.0.1:9001']);
    await putInstance(agent, 'by-list', 'real', 4001);
    await eventually(async () => (await app.ids('by-list')).join() === 'real', { within: 30_000 });
    expect(app.events.filter(({ type }) => type === 'service.failover').length).toBeGreaterThan(0);
    expect(await app.discovery.getServices()).toContain('by-list');
  });

  it('a prepared query of Consul, by its name', async () => {
    await putInstance(agent, 'prepared', 'p1', 4001);
    const made = await agent.request('POST', '/v1/query', {
      Name: 'nearby',
      Service: { Service: 'prepared' },
    });
    expect(made.status).toBe(200);
    const app = await start({ agent: { url: agent.url } });
    const query = { preparedQuery: true } as const;
    const [instance] = await app.discovery.getInstances('nearby', query);
    expect(instance).toMatchObject({ id: 'p1', service: 'prepared', port: 4001 });
    await putInstance(agent, 'prepared', 'p2', 4002);
    await eventually(async () => (await app.discovery.getInstances('nearby', query)).length === 2, {
      within: 40_000,
    });
    await expect(app.discovery.getInstances('no-such-query', query)).rejects.toMatchObject({
      code: 'RK_NOT_FOUND',
    });
  }, 60_000);

  it('a prepared query of Consul, by a client', async () => {
    const servers = await Promise.all(
      ['one', 'two'].map(async (name) => {
        const server = createServer((_, response) => response.end(name)).listen(0, '127.0.0.1');
        await once(server, 'listening');
        await putInstance(agent, 'sought', name, (server.address() as AddressInfo).port);
        return server;
      }),
    );
    await agent.request('POST', '/v1/query', { Name: 'seek', Service: { Service: 'sought' } });
    const app = await NestFactory.createApplicationContext(
      rootModule([ConsulModule.forRoot({ agent: { url: agent.url } })]),
      { logger: false },
    );
    const { axiosRef } = app.get(ServiceClientFactory).create('seek', { query: { preparedQuery: true } });
    const answers = new Set<unknown>();
    for (let n = 0; n < 20; n++) answers.add((await axiosRef.get('/')).data);
    expect(answers).toEqual(new Set(['one', 'two']));
    await app.close();
    for (const server of servers) server.close();
  });

  it('near: the instances of this agent come first', async () => {
    const app = await start({ agent: { url: agent.url } });
    await putInstance(agent, 'near', 'far', 4001);
    await agent.request('PUT', '/v1/agent/service/register', { ID: 'here', Name: 'near', Port: 4002 });
    const near = async (): Promise<string[]> =>
      (await app.discovery.getInstances('near', { near: '_agent' })).map(({ id }) => id);
    // The node's coordinate comes a moment after it does.
    await eventually(async () => (await near())[0] === 'here', { within: 30_000 });
  }, 40_000);

  it('several agents: lookups use the next one while the first is unreachable', async () => {
    const first = await ConsulAgent.start({ mode: 'client', join: [agent] });
    await putInstance(agent, 'stock', 's1', 4001);
    const app = await start({
      agent: { url: [first.url, agent.url] },
      service: { name: 'registered', check: { type: 'ttl' } },
    });
    expect(await app.ids('stock')).toEqual(['s1']);
    await eventually(async () => (await app.ids('registered')).length === 1);
    await first.kill();
    await putInstance(agent, 'stock', 's2', 4002);
    await eventually(async () => (await app.ids('stock')).length === 2, { within: 30_000 });
    expect(await app.discovery.getServices()).toContain('stock');
    await first.restart();
    await eventually(
      async () => {
        const { body } = await first.request('GET', '/v1/agent/services');
        return Object.keys(body as object).some((id) => id.startsWith('registered'));
      },
      { within: 30_000 },
    );
    await putInstance(agent, 'stock', 's3', 4003);
    await eventually(async () => (await app.ids('stock')).length === 3, { within: 30_000 });
    const switched = () => app.events.filter((event) => event.type === 'registry.switched');
    await eventually(() => switched().length >= 2, { within: 30_000 });
    expect(switched()).toMatchObject([
      {
        from: first.url,
        to: agent.url,
        reason: expect.stringMatching(/ECONNREFUSED|ECONNRESET|other side closed/),
      },
      { from: agent.url, to: first.url, reason: undefined },
    ]);
    // The first agent is used again, and the app is not registered with the other one.
    const { body } = await agent.request('GET', '/v1/agent/services');
    expect(Object.keys(body as object).filter((id) => id.startsWith('registered'))).toEqual([]);
    await agent.request('GET', '/v1/status/leader');
    await first.stop();
  }, 90_000);

  it('responses of an agent on another host are compressed', async () => {
    for (let n = 0; n < 60; n++)
      await putInstance(agent, 'zipped', `z${n}`, 5000 + n, { Meta: { text: 'x'.repeat(300) } });
    const proxy = await FaultProxy.start(agent.url);
    const { port } = new URL(proxy.url);
    // Not recognised as an address of this host.
    const remote = ConsulClient.create({ url: `http://0.0.0.0:${port}` });
    const local = ConsulClient.create({ url: proxy.url });
    const zipped = await remote.health.service('zipped');
    const plain = await local.health.service('zipped');
    expect(zipped.body).toEqual(plain.body);
    const [fewer = 0, more = 0] = proxy.requests.map(({ bytes }) => bytes);
    figure('F20', `60 instances: ${more} bytes, compressed ${fewer}`);
    expect(fewer).toBeLessThan(more / 5);
    await Promise.all([remote.close(), local.close(), proxy.stop()]);
  });
});

describe('several datacenters', () => {
  it('F41 one of two ends: the other is not affected, and calls fail over to it', async () => {
    const both = await startTwoDatacenters();
    const { dc1, dc2 } = both;
    const listen = async (): Promise<Server> => {
      const server = createServer((_, response) => response.end('ok')).listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    };
    const [here, there] = await Promise.all([listen(), listen()]);
    const portOf = (server: Server): number => (server.address() as AddressInfo).port;
    await putInstance(dc1, 'stock', 'here', portOf(here));
    await putInstance(dc2, 'stock', 'there', portOf(there), {});
    const app = await startWatching({ agent: { url: dc1.url } });
    const remote = { datacenter: 'dc2', failover: { to: ['dc1'], failbackAfter: '1s' } };
    const ids = async (): Promise<string> =>
      (await app.discovery.getInstances('stock', remote)).map(({ id }) => id).join();
    // The two datacenters have to find each other first.
    await eventually(async () => (await ids()) === 'there', { within: 60_000 });
    expect(await app.ids('stock')).toEqual(['here']);
    const ended = performance.now();
    there.closeAllConnections();
    await Promise.all([dc2.kill(), new Promise((resolve) => there.close(resolve))]);
    let slowest = 0;
    await eventually(
      async () => {
        const begun = performance.now();
        expect(await app.ids('stock')).toEqual(['here']);
        slowest = Math.max(slowest, performance.now() - begun);
        return (await ids()) === 'here';
      },
      { within: 30_000, every: 5 },
    );
    const moved = performance.now() - ended;
    await putInstance(dc1, 'stock', 'second', 4002);
    await eventually(async () => (await app.ids('stock')).length === 2);
    const back = await listen();
    await dc2.restart();
    await putInstance(dc2, 'stock', 'there', portOf(back));
    await eventually(async () => (await ids()) === 'there', { within: 60_000 });
    figure(
      'F41',
      `failed over after ${Math.round(moved)} ms; the other datacenter answered within ${slowest.toFixed(1)} ms all the time`,
    );
    expectWithin(moved, 1_000);
    const stale = app.events.filter(({ type }) => type === 'list.stale');
    expect(stale.length).toBeGreaterThan(0);
    for (const event of stale)
      expect(event).toMatchObject({ list: expect.stringContaining('"datacenter":"dc2"') });
    // A datacenter that does not exist delays no call either.
    const begun = performance.now();
    const lost = await app.discovery.getInstances('stock', { datacenter: 'nowhere', failover: ['dc1'] });
    expect(lost.length).toBe(2);
    expect(performance.now() - begun).toBeLessThan(10_000);
    await app.close();
    for (const server of [here, back]) server.close();
    await both.stop();
  }, 120_000);
});
