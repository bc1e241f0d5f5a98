import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Injectable, type DynamicModule, type INestApplication, type Provider } from '@nestjs/common';
import { ClientsModule, type ClientProxy } from '@nestjs/microservices';
import { afterEach, describe, expect, it } from '@jest/globals';
import { DiscoveryService } from '@rookery/discovery';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';
import {
  DiscoveryClientProxy,
  getMicroserviceClientToken,
  MicroserviceClient,
  TcpClients,
  TcpDiscoveryModule,
} from '@rookery/microservices/tcp';
import { eventually, thrownBy } from '@rookery/test-support';
import { firstValueFrom, lastValueFrom, toArray } from 'rxjs';
import { createApp, rootModule } from '../e2e/test-app.js';
import { TcpLibrary, type Answered } from './tcp-server.js';

@Injectable()
class Reader {
  constructor(@MicroserviceClient('library-tcp') readonly library: ClientProxy) {}
}

describe("Nest's TCP transport by the name of a service", () => {
  const cleanUps: (() => unknown)[] = [];
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  const startApp = async (
    registry: InMemoryRegistry,
    imports: DynamicModule[] = [],
    providers: Provider[] = [],
  ): Promise<INestApplication> => {
    const discovery = DiscoveryModule.forRootAsync({ useFactory: () => ({ registry }) });
    const { app } = await createApp(rootModule([discovery, TcpDiscoveryModule, ...imports], { providers }));
    await app.init();
    cleanUps.push(() => app.close());
    return app;
  };
  const list = (registry: InMemoryRegistry, servers: readonly TcpLibrary[]): void => {
    for (const { port } of servers) registry.put({ service: 'library-tcp', id: `library-${port}`, port });
  };
  const startServers = async (count: number): Promise<TcpLibrary[]> => {
    const servers = await Promise.all(Array.from({ length: count }, () => TcpLibrary.start()));
    for (const server of servers) cleanUps.push(() => server.stop());
    return servers;
  };
  const started = async (count: number) => {
    const servers = await startServers(count);
    const registry = new InMemoryRegistry();
    list(registry, servers);
    const app = await startApp(registry, [], [Reader]);
    return { servers, registry, app, library: app.get(Reader).library };
  };
  const find = (library: ClientProxy, title = 'Dune'): Promise<Answered> =>
    firstValueFrom(library.send<Answered>('find', { title }));

  it('send goes to all instances, and to those that come, and no more to those that go', async () => {
    const { servers, registry, library, app } = await started(2);
    const [first, second] = servers as [TcpLibrary, TcpLibrary];
    const ports = new Set<number>();
    for (let n = 0; n < 30; n++) ports.add((await find(library)).port);
    expect(ports).toEqual(new Set([first.port, second.port]));
    const [third] = (await startServers(1)) as [TcpLibrary];
    list(registry, [third]);
    await eventually(async () => (await find(library)).port === third.port);
    registry.remove(`library-${first.port}`);
    const explained = async () => (await app.get(DiscoveryService).explain('library-tcp')).instances;
    await eventually(async () => !(await explained()).some(({ id }) => id === `library-${first.port}`));
    const before = first.calls;
    for (let n = 0; n < 20; n++) await find(library);
    expect(first.calls).toBe(before);
    expect(app.get(getMicroserviceClientToken('library-tcp'))).toBe(library);
    const instances = await explained();
    expect(instances.some(({ calls }) => (calls?.latencyMs ?? 0) > 0)).toBe(true);
  });

  it('a stock ClientsModule takes it as its customClass', async () => {
    const servers = await startServers(2);
    const registry = new InMemoryRegistry();
    list(registry, servers);
    const options = { service: 'library-tcp', timeout: '5s' };
    const clients = ClientsModule.register([{ name: 'LIBRARY', customClass: DiscoveryClientProxy, options }]);
    const app = await startApp(registry, [clients]);
    expect(await find(app.get<ClientProxy>('LIBRARY'))).toMatchObject({ title: 'Dune' });
  });

  it('emit writes an event to one instance, and a response may be a stream', async () => {
    const { servers, library } = await started(2);
    await lastValueFrom(library.emit('read', { book: 7 }), { defaultValue: undefined });
    await eventually(() => servers.flatMap(({ behaviour }) => behaviour.events).length === 1);
    expect(servers.flatMap(({ behaviour }) => behaviour.events)).toEqual([{ book: 7 }]);
    const pages = await lastValueFrom(library.send<number>('pages', { count: 5 }).pipe(toArray()));
    expect(pages).toEqual([0, 1, 2, 3, 4]);
    expect(await lastValueFrom(library.send<number>('pages', { count: 0 }).pipe(toArray()))).toEqual([]);
  });

  it('an emit says nothing about its instance: one that hangs is ejected for what it does not answer', async () => {
    const { servers, app } = await started(2);
    const [hung] = servers as [TcpLibrary];
    hung.behaviour.isHanging = true;
    const impatient = app
      .get(TcpClients)
      .create({ service: 'library-tcp', strategy: 'round-robin', attemptTimeout: '50ms', retries: 0 });
    await eventually(async () => {
      await find(impatient).catch(() => undefined);
      for (let n = 0; n < 4; n++)
        await lastValueFrom(impatient.emit('read', {}), { defaultValue: undefined });
      const { instances } = await app.get(DiscoveryService).explain('library-tcp');
      return instances.some(({ state }) => state === 'ejected');
    });
    expect(hung.behaviour.events.length).toBeGreaterThan(0);
  });

  it("a handler's error is the caller's, and counts against no instance", async () => {
    const { library, app } = await started(1);
    for (let n = 0; n < 10; n++)
      expect(await thrownBy(() => find(library, ''))).toMatchObject({ message: 'there is no such book' });
    const { instances } = await app.get(DiscoveryService).explain('library-tcp');
    expect(instances.map(({ state }) => state)).toEqual(['eligible']);
    expect((await find(library)).title).toBe('Dune');
  });

  it('what was not sent goes to the next instance; what was sent only where it may be repeated', async () => {
    const { servers, app } = await started(3);
    const [dying] = servers as [TcpLibrary];
    const clients = app.get(TcpClients);
    const careful = clients.create({ service: 'library-tcp' });
    const repeating = clients.create({ service: 'library-tcp', idempotent: true });
    for (let n = 0; n < 20; n++) await find(repeating);
    await dying.refuse();
    // What is under way on its connection, which clients share, may have been sent; afterwards nothing was.
    for (let n = 0; n < 20; n++) await find(repeating);
    for (let n = 0; n < 50; n++) expect((await find(careful)).port).not.toBe(dying.port);
    const [hanging, healthy] = servers.slice(1) as [TcpLibrary, TcpLibrary];
    hanging.behaviour.isHanging = true;
    const callsUntilOneHangs = async (client: ClientProxy): Promise<Promise<Answered>[]> => {
      const before = hanging.calls;
      const calls: Promise<Answered>[] = [];
      await eventually(() => {
        // At once, since an instance where a call is under way is left alone while the other is idle.
        if (hanging.calls === before) for (let n = 0; n < 8; n++) calls.push(find(client));
        return hanging.calls > before;
      });
      return calls;
    };
    const broken = await callsUntilOneHangs(careful);
    const repeated = await callsUntilOneHangs(repeating);
    hanging.kill();
    const failed = (await Promise.allSettled(broken)).filter((result) => result.status === 'rejected');
    expect(failed.length).toBeGreaterThan(0);
    for (const { reason } of failed) expect(reason).toMatchObject({ code: 'RK_CALL_FAILED' });
    for (const call of repeated) expect((await call).port).toBe(healthy.port);
  });

  it('ends in time when an instance says nothing, and its late answer is nobody else’s', async () => {
    const { servers, app } = await started(1);
    const [server] = servers as [TcpLibrary];
    const library = app.get(TcpClients).create({ service: 'library-tcp', timeout: '500ms' });
    expect((await find(library)).title).toBe('Dune');
    server.behaviour.delayMs = 1_500;
    expect(await thrownBy(() => find(library, 'Emma'))).toMatchObject({ code: 'RK_CALL_TIMEOUT' });
    server.behaviour.delayMs = 0;
    const titles = ['a', 'b', 'c'];
    expect(await Promise.all(titles.map(async (title) => (await find(library, title)).title))).toEqual(
      titles,
    );
  });

  it('messages with the same key go to the same instance, with a strategy that uses keys', async () => {
    const { app } = await started(4);
    const library = app.get(TcpClients).create({
      service: 'library-tcp',
      strategy: 'consistent-hash',
      hashKey: ({ data }) => (data as { title: string }).title,
    });
    const seen = new Map<string, Set<number>>();
    // That all of them belong to one instance by chance is out of the question.
    const titles = Array.from({ length: 25 }, (_, n) => `Volume ${n}`);
    for (let n = 0; n < 3; n++)
      for (const title of titles) {
        const ports = seen.get(title) ?? new Set();
        seen.set(title, ports.add((await find(library, title)).port));
      }
    expect([...seen.values()].filter(({ size }) => size !== 1)).toEqual([]);
    expect(new Set([...seen.values()].flatMap((ports) => [...ports])).size).toBeGreaterThan(1);
  });

  it('a host that does not take connections costs a second, and no call', async () => {
    const { servers, registry, app } = await started(2);
    // TEST-NET-1 (RFC 5737): packets to it are lost, or there is no route.
    registry.put({ service: 'library-tcp', id: 'nowhere', address: '192.0.2.1', port: 7 });
    const library = app.get(TcpClients).create({ service: 'library-tcp', strategy: 'round-robin' });
    const ports = await Promise.all(Array.from({ length: 12 }, () => find(library)));
    expect(new Set(ports.map(({ port }) => port))).toEqual(new Set(servers.map(({ port }) => port)));
  });

  it('says why there is no instance, which module is missing, and which option is wrong', async () => {
    const app = await startApp(new InMemoryRegistry(), [], [Reader]);
    const none = await thrownBy(() => find(app.get(Reader).library));
    expect(none).toMatchObject({ code: 'RK_NO_INSTANCES' });
    expect(() => app.get(TcpClients).create({ service: '' })).toThrow(/service/);
    expect(() => MicroserviceClient('')).toThrow(/name/);
    expect(() => MicroserviceClient('library-tcp', { timeout: 'soon' as never })).toThrow(
      /@MicroserviceClient\('library-tcp'\).*timeout/s,
    );
    expect(() => app.get(TcpClients).create({ service: 'library-tcp', retries: -1 })).toThrow(/retries/);
    expect(() => app.get(TcpClients).create({ service: 'library-tcp', hashKey: 'id' as never })).toThrow(
      /hashKey/,
    );
    await app.close();
    cleanUps.pop();
    const missing = await thrownBy(() => find(new DiscoveryClientProxy({ service: 'library-tcp' })));
    expect(missing.message).toContain('Import TcpDiscoveryModule of @rookery/microservices/tcp');
  });

  it('a client that was closed is kept no longer', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const { app, servers } = await started(1);
    const use = async (): Promise<WeakRef<ClientProxy>> => {
      const client = app.get(TcpClients).create({ service: 'library-tcp' });
      expect((await find(client)).port).toBe(servers[0]?.port);
      client.close();
      return new WeakRef(client);
    };
    const used = await use();
    await eventually(() => {
      collect();
      return used.deref() === undefined;
    });
  });

  it('makes a call not again that ends because its client is closed', async () => {
    const { servers, app } = await started(2);
    const library = app.get(TcpClients).create({ service: 'library-tcp', idempotent: true });
    for (const { behaviour } of servers) behaviour.isHanging = true;
    const call = thrownBy(() => find(library));
    await eventually(() => servers.some(({ calls }) => calls === 1));
    library.close();
    expect((await call).message).toContain('closed');
    // Longer than a retry waits.
    await sleep(200);
    expect(servers.reduce((sum, { calls }) => sum + calls, 0)).toBe(1);
  });

  it('clients of an app share one connection to each instance, which ends with the last of them', async () => {
    const { app, servers } = await started(1);
    const [server] = servers as [TcpLibrary];
    const clients = app.get(TcpClients);
    const first = clients.create({ service: 'library-tcp' });
    const second = clients.create({ service: 'library-tcp', attemptTimeout: '60s', timeout: '60s' });
    const third = new DiscoveryClientProxy({ service: 'library-tcp' });
    for (const client of [first, second, third]) await find(client);
    expect(server.connections).toBe(1);
    const apart = clients.create({ service: 'library-tcp', connection: { maxBufferSize: 1_000 } });
    await find(apart);
    expect(server.connections).toBe(2);
    apart.close();
    await eventually(() => server.connections === 1);

    const endless = thrownBy(() => lastValueFrom(first.send('endless', {})));
    await eventually(() => server.behaviour.openStreams === 1);
    server.behaviour.isHanging = true;
    const hanging = find(second);
    await eventually(() => server.calls === 6);
    first.close();
    expect((await endless).message).toBe('the client was closed');
    third.close();
    server.behaviour.isHanging = false;
    expect((await find(second)).title).toBe('Dune');
    expect(server.connections).toBe(1);
    second.close();
    expect((await thrownBy(hanging)).message).toContain('the client was closed');
    await eventually(() => server.connections === 0);
    // A closed client begins anew.
    expect((await find(third)).title).toBe('Dune');
  });

  it('an emit that waits for its connection ends with its client', async () => {
    const accepted: Socket[] = [];
    const silent = createServer((socket) => accepted.push(socket.on('error', () => undefined).resume()));
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    cleanUps.push(() => silent.close());
    const registry = new InMemoryRegistry();
    registry.put({ service: 'library-tcp', port: (silent.address() as AddressInfo).port });
    const app = await startApp(registry);
    const library = app
      .get(TcpClients)
      .create({ service: 'library-tcp', timeout: '60s', connection: { tlsOptions: {} } });
    const emitted = thrownBy(() => lastValueFrom(library.emit('read', {})));
    await eventually(() => accepted.length === 1);
    library.close();
    const { length } = accepted;
    expect((await emitted).message).toContain('the client was closed');
    await eventually(() => accepted.every(({ destroyed }) => destroyed));
    expect(accepted).toHaveLength(length);
  });

  it('leaves nothing open when the app is closed', async () => {
    const { app, library, servers } = await started(3);
    const unclosed = new DiscoveryClientProxy({ service: 'library-tcp' });
    for (let n = 0; n < 20; n++) await find(n % 2 === 0 ? library : unclosed);
    await app.close();
    cleanUps.pop();
    await eventually(() => servers.every(({ connections }) => connections === 0));
    expect(await thrownBy(() => find(library))).toMatchObject({ code: 'RK_SHUT_DOWN' });
    for (const server of servers) await server.stop();
  });
});
