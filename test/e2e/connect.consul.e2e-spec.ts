import { createServer, request, type Agent, type RequestOptions, type Server } from 'node:https';
import { Agent as HttpsAgent } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Controller, Get, Module, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { HttpService } from '@nestjs/axios';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  ConsulModule,
  connectHttpsOptions,
  DiscoveryService,
  getServiceClientToken,
  HealthService,
  RegistrationService,
  ServiceClientsModule,
  type CheckOptions,
  type ConnectOptions,
} from '@rookery/consul';
import { DiscoverySections } from '@rookery/discovery/adapter';
import {
  ConnectAuthority,
  ConsulAgent,
  eventually,
  startConnectConsul,
  thrownBy,
  type Leaf,
} from '@rookery/test-support';
import { firstValueFrom } from 'rxjs';
import { PLATFORMS, rootModule, startApp, type Platform, type TestApp } from './test-app.js';

@Controller()
class Stock {
  static calls = 0;

  @Get('stock')
  stock(): { copies: number } {
    Stock.calls++;
    return { copies: 3 };
  }
}

const NATIVE = { Connect: { Native: true } };

interface AgentCheck {
  readonly ServiceName: string;
  readonly Output: string;
}

interface Answer {
  readonly status: number | undefined;
  readonly body: string;
  readonly socket: Socket;
}

describe('Connect-native apps on a real Consul', () => {
  let authority: ConnectAuthority;
  let consul: ConsulAgent;
  let trustDomain: string;
  const cleanUps: (() => unknown)[] = [];
  beforeAll(async () => {
    ({ authority, consul, trustDomain } = await startConnectConsul());
  });
  afterAll(() => consul.stop());
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
    const { body } = await consul.request('GET', '/v1/connect/intentions');
    for (const { ID } of body as { ID: string }[])
      await consul.request('DELETE', `/v1/connect/intentions/${ID}`);
  });

  const start = async (
    name: string,
    { platform, check, ...connect }: ConnectOptions & { platform?: Platform; check?: CheckOptions } = {},
    agent = consul,
    onListening: (app: TestApp) => void = () => undefined,
  ): Promise<TestApp> => {
    const consulModule = ConsulModule.forRoot({
      agent: { url: agent.url },
      service: { name, ...(check ? { check } : {}) },
      connect: { native: true, ...connect },
      shutdown: { drainTimeout: 0 },
    });
    const clients = ServiceClientsModule.forFeature(['inventory']);
    const started = await startApp(rootModule([consulModule, clients], { controllers: [Stock] }), {
      https: connectHttpsOptions(),
      ...(platform ? { platform } : {}),
    });
    cleanUps.push(() => started.app.close());
    onListening(started);
    await started.app.get(RegistrationService).whenRegistered();
    await eventually(async () => {
      const { body } = await agent.request('GET', `/v1/health/service/${name}?passing`);
      return (body as unknown[]).length > 0;
    });
    return started;
  };
  const call = async ({ app }: { app: INestApplication }): Promise<number> => {
    const client = app.get<HttpService>(getServiceClientToken('inventory'));
    const { data } = await firstValueFrom(client.get<{ copies: number }>('/stock'));
    return data.copies;
  };
  /** As a caller that is not of Rookery. */
  const get = (url: string, options: RequestOptions = {}): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const trust = { ca: authority.cert, checkServerIdentity: () => undefined };
      const asked = request(url, { ...(options.agent ? {} : trust), ...options });
      asked.once('error', reject);
      asked.once('response', (response) => {
        // It is free for another request before the end is told.
        const { socket } = response;
        let body = '';
        response.on('data', (chunk: Buffer) => (body += chunk.toString()));
        response.once('end', () => resolve({ status: response.statusCode, body, socket }));
      });
      asked.end();
    });
  /** It trusts by itself: Node 22 and later keep no connection, and no session, that a request judges by a function of its own. */
  const keptAgent = (leaf: object, options: object = { keepAlive: true, maxSockets: 1 }): Agent =>
    new HttpsAgent({ ca: authority.cert, checkServerIdentity: () => undefined, ...options, ...leaf });
  const intend = async (source: string, action: 'allow' | 'deny', destination = 'inventory') => {
    const intention = {
      SourceName: source,
      DestinationName: destination,
      SourceType: 'consul',
      Action: action,
    };
    const { body } = await consul.request('POST', '/v1/connect/intentions', intention);
    return (body as { ID: string }).ID;
  };
  /** As soon as the agent has made it. */
  const checkOfInventory = (): Promise<AgentCheck> =>
    eventually(async () => {
      const { body } = await consul.request('GET', '/v1/agent/checks');
      return Object.values(body as Record<string, AgentCheck>).find(
        ({ ServiceName, Output }) => ServiceName === 'inventory' && Output !== '',
      );
    });
  /** Something that the registry takes for an instance of `inventory`. */
  const pretend = async ({ cert, key }: Leaf): Promise<{ readonly calls: number; readonly port: number }> => {
    const state = { calls: 0, port: 0 };
    const server: Server = createServer(
      { cert, key, requestCert: true, rejectUnauthorized: false },
      (_, response) => {
        state.calls++;
        response.setHeader('Content-Type', 'application/json').end('{"copies":99}');
      },
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanUps.push(() => server.close().closeAllConnections());
    const Port = (state.port = (server.address() as AddressInfo).port);
    const registration = { ID: 'pretended', Name: 'inventory', Address: '127.0.0.1', Port };
    await consul.request('PUT', '/v1/agent/service/register', { ...registration, Connect: { Native: true } });
    cleanUps.push(() => consul.request('PUT', '/v1/agent/service/deregister/pretended'));
    return state;
  };

  describe.each(PLATFORMS)('on %s', (platform) => {
    it('call each other with certificates of their services, and the agent checks them without one', async () => {
      await start('inventory', { platform, check: { type: 'http', interval: '1s' } });
      const storefront = await start('storefront', { platform });
      expect(await call(storefront)).toBe(3);
      const { body } = await consul.request('GET', '/v1/health/service/inventory');
      expect(body).toEqual([expect.objectContaining({ Service: expect.objectContaining(NATIVE) })]);
      const check = await checkOfInventory();
      expect(check.Output).toMatch(/^HTTP GET http:\/\/127\.0\.0\.1:\d+\/health: 200 OK/);
      const plain = (path: string) => fetch(String(/http:[^:]*:\d+/.exec(check.Output)) + path);
      expect((await plain('/stock')).status).toBe(404);
      expect((await plain('/health/../stock')).status).toBe(404);
      expect((await plain('/health/live')).status).toBe(200);
    });

    it('refuse a caller on its open connection within a second of an intention, and take it again after', async () => {
      const inventory = await start('inventory', { platform });
      const leaf = await authority.leaf(trustDomain, 'storefront');
      const agent = keptAgent(leaf);
      cleanUps.push(() => agent.destroy());
      const url = `${inventory.url}/stock`;
      const served = new Set<Socket>();
      const isServed = async (): Promise<boolean> => {
        const { status, socket } = await get(url, { agent });
        if (status === 200) served.add(socket);
        return status === 200;
      };
      expect(await isServed()).toBe(true);
      const { calls } = Stock;
      // In use all the time: the server ends a connection that is idle for five seconds, as long as Consul may take.
      let isRefused = false;
      const asking = eventually(async () => (isRefused = !(await isServed())), { within: 50_000, every: 20 });
      const id = await intend('storefront', 'deny');
      await eventually(() => isRefused, { within: 1_000, every: 20 });
      await asking;
      const denied = await get(url, { agent });
      expect(served.has(denied.socket)).toBe(true);
      expect(denied.body).toContain(
        'the intention of Consul from \\"storefront\\" to \\"inventory\\" denies it',
      );
      const handled = Stock.calls;
      expect(handled).toBeGreaterThanOrEqual(calls);
      await get(`${inventory.url}/health`, { agent });
      expect(Stock.calls).toBe(handled);
      expect(inventory.logger.lines.join()).toContain('"storefront" was denied access to "inventory"');
      await consul.request('DELETE', `/v1/connect/intentions/${id}`);
      await eventually(isServed, { within: 5_000 });
    });
  });

  it('start with the lines that the page shows', async () => {
    process.env.CONSUL_HTTP_ADDR = consul.url;
    cleanUps.push(() => Reflect.deleteProperty(process.env, 'CONSUL_HTTP_ADDR'));
    // docs begin
    @Module({
      imports: [
        ConsulModule.forRoot({ service: { name: 'inventory' }, connect: { native: true } }),
        ServiceClientsModule.forFeature(['orders']),
      ],
    })
    class AppModule {}

    const app = await NestFactory.create(AppModule, { httpsOptions: connectHttpsOptions() });
    // docs end
    app.useLogger(false);
    cleanUps.push(() => app.close());
    await app.listen(0);
    await app.get(RegistrationService).whenRegistered();
    expect(await app.get(HealthService).check()).toMatchObject({ details: { connect: { status: 'up' } } });
    const [, shown = ''] = readFileSync(new URL(import.meta.url), 'utf8').split(
      / *\/\/ docs (?:begin|end)\n/,
    );
    const page = readFileSync(new URL('../../libs/consul/docs/connect.md', import.meta.url), 'utf8');
    expect(page).toContain(shown.replaceAll(/^ {4}/gm, '').replace('class App', 'export class App').trim());
  });

  it('refuse what has no certificate of theirs: none, another authority, another trust domain, an expired one, two names', async () => {
    const inventory = await start('inventory');
    const url = `${inventory.url}/stock`;
    const other = await ConnectAuthority.create();
    const { calls } = Stock;
    expect(await thrownBy(get(url))).toMatchObject({ code: 'ECONNRESET' });
    for (const leaf of [
      await other.leaf(trustDomain, 'storefront'),
      await authority.leaf(trustDomain, 'storefront', { validForMs: -60_000 }),
      await authority.leaf(trustDomain, 'storefront', { uris: [`spiffe://${trustDomain}/agent/storefront`] }),
      await authority.leaf(trustDomain, 'storefront', {
        uris: ['a', 'b'].map((name) => `spiffe://${trustDomain}/ns/default/dc/dc1/svc/${name}`),
      }),
    ])
      expect((await thrownBy(get(url, leaf))).message).toMatch(/ECONNRESET|socket hang up/);
    const foreign = await get(
      url,
      await authority.leaf('11111111-2222-3333-4444-555555555555.consul', 'storefront'),
    );
    expect(foreign).toMatchObject({ status: 403 });
    expect(foreign.body).toContain('of another trust domain');
    expect(Stock.calls).toBe(calls);
    expect((await get(url, await authority.leaf(trustDomain, 'storefront'))).status).toBe(200);
  });

  it('refuse a certificate that expires while its connection is open', async () => {
    const inventory = await start('inventory');
    const leaf = await authority.leaf(trustDomain, 'storefront', { validForMs: 6_000 });
    const agent = keptAgent(leaf);
    cleanUps.push(() => agent.destroy());
    expect((await get(`${inventory.url}/stock`, { agent })).status).toBe(200);
    await eventually(async () => (await get(`${inventory.url}/stock`, { agent })).status === 403);
    expect((await get(`${inventory.url}/stock`, { agent })).body).toContain('its certificate has expired');
  });

  it('take a caller that resumes its session, and refuse it as soon as its certificate has expired', async () => {
    const inventory = await start('inventory');
    const leaf = await authority.leaf(trustDomain, 'storefront', { validForMs: 8_000 });
    const agent = keptAgent(leaf, { keepAlive: false, maxSockets: Infinity });
    cleanUps.push(() => agent.destroy());
    const resumed: boolean[] = [];
    (inventory.app.getHttpServer() as Server).on('secureConnection', (socket: TLSSocket) =>
      resumed.push(socket.isSessionReused()),
    );
    const url = `${inventory.url}/stock`;
    await eventually(async () => {
      expect(await get(url, { agent })).toMatchObject({ status: 200 });
      return resumed.includes(true);
    });
    const isRefused = (): Promise<boolean> =>
      get(url, { agent }).then(
        ({ status }) => status === 403,
        () => true,
      );
    await eventually(isRefused);
  });

  it('call only what is the service that they asked for', async () => {
    const storefront = await start('storefront');
    const wrong = await pretend(await authority.leaf(trustDomain, 'orders'));
    const error = await thrownBy(call(storefront));
    expect(error.message).toContain('the certificate is that of "orders"');
    expect(error.message).toContain('Another service answers at its address');
    expect(wrong.calls).toBe(0);
    for (const leaf of [
      await authority.leaf('11111111-2222-3333-4444-555555555555.consul', 'inventory'),
      await authority.leaf(trustDomain, 'inventory', { validForMs: -60_000 }),
      await (await ConnectAuthority.create()).leaf(trustDomain, 'inventory'),
    ]) {
      const state = await pretend(leaf);
      const discovery = storefront.app.get(DiscoveryService);
      await eventually(async () => (await discovery.choose('inventory')).port === state.port);
      await thrownBy(call(storefront));
      expect(state.calls).toBe(0);
    }
    const right = await pretend(await authority.leaf(trustDomain, 'inventory'));
    await eventually(async () => (await call(storefront)) === 99);
    expect(right.calls).toBeGreaterThan(0);
  });

  it('may leave their health to callers without a certificate, on the same port, and nothing else', async () => {
    const inventory = await start('inventory', {
      checks: 'path',
      check: { type: 'https', interval: '1s', tlsSkipVerify: true },
    });
    expect((await checkOfInventory()).Output).toMatch(/^HTTP GET https:\/\/127\.0\.0\.1:\d+\/health: 200 OK/);
    expect((await get(`${inventory.url}/health`)).status).toBe(200);
    const denied = await get(`${inventory.url}/stock`);
    expect(denied).toMatchObject({ status: 403 });
    expect(denied.body).toContain('it has shown no certificate');
    for (const path of ['/health/../stock', '/health/%2e%2e/stock', '/healthy', '/discovery'])
      expect((await get(inventory.url, { path })).status).toBe(403);
    expect((await get(`${inventory.url}/health`, { method: 'POST' })).status).toBe(403);
    let upgrades = 0;
    (inventory.app.getHttpServer() as Server).on('upgrade', () => upgrades++);
    const socket = connect({
      port: inventory.port,
      ca: authority.cert,
      checkServerIdentity: () => undefined,
    });
    socket.write('GET /health HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
    await once(socket, 'close');
    expect(answer).toMatch(/^HTTP\/1\.1 403 /);
    expect(upgrades).toBe(0);
  });

  it('start without Consul, call each other while it is away, and follow it when it comes back as another cluster', async () => {
    const own = await ConsulAgent.start();
    cleanUps.push(() => own.stop());
    await own.kill();
    const listening: TestApp[] = [];
    const note = (app: TestApp): void => void listening.push(app);
    const starting = ['inventory', 'storefront'].map((name) => start(name, {}, own, note));
    await eventually(() => listening.length === 2);
    // Nest has one logger for a process: that of the latest app.
    const lines = listening.flatMap(({ logger }) => logger.lines);
    expect(lines.join()).toContain('Consul has given no certificate yet: the app starts');
    for (const { url } of listening) await thrownBy(get(url));
    await own.relaunch();
    await own.ready();
    const [, caller] = (await Promise.all(starting)) as [TestApp, TestApp];
    await eventually(async () => (await call(caller)) === 3, { within: 30_000 });
    await own.kill();
    for (let n = 0; n < 20; n++) expect(await call(caller)).toBe(3);
    // In memory: it has another authority, another trust domain, and no services.
    await own.restart();
    const { body } = await own.request('GET', '/v1/agent/connect/ca/roots');
    const { TrustDomain } = body as { TrustDomain: string };
    const shown = (): string => JSON.stringify(caller.app.get(DiscoverySections).explain());
    await eventually(() => shown().includes(TrustDomain), { within: 45_000 });
    await eventually(async () => (await call(caller)) === 3, { within: 45_000 });
  }, 150_000);

  it('speak nothing below TLS 1.2', async () => {
    const inventory = await start('inventory');
    const leaf = await authority.leaf(trustDomain, 'storefront');
    const error = await new Promise<Error>((resolve, reject) => {
      const socket = connect({
        ...{ ...leaf, ca: authority.cert, port: inventory.port, maxVersion: 'TLSv1.1', minVersion: 'TLSv1' },
        ciphers: 'DEFAULT@SECLEVEL=0',
      });
      socket.once('error', resolve);
      socket.once('secureConnect', () => reject(new Error('it was accepted')));
    });
    expect(error.message).toMatch(/protocol version|handshake failure/i);
  });
});
