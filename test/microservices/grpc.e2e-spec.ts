import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { credentials, Metadata, status, type Client, type ServiceError } from '@grpc/grpc-js';
import { Injectable, type DynamicModule, type INestApplication, type Provider } from '@nestjs/common';
import { ClientsModule, Transport, type ClientGrpc } from '@nestjs/microservices';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  DiscoveryEvents,
  DiscoveryService,
  type ServiceExplanation,
  type ServicePolicy,
} from '@rookery/discovery';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';
import {
  callInterceptor,
  discoveryChannel,
  getGrpcServiceClientToken,
  GrpcClients,
  GrpcDiscoveryModule,
  GrpcServiceClient,
  HASH_KEY,
} from '@rookery/microservices/grpc';
import { eventually, thrownBy } from '@rookery/test-support';
import { createClient } from 'nice-grpc';
import { firstValueFrom, lastValueFrom, type Observable, type Subscription } from 'rxjs';
import { createApp, rootModule } from '../e2e/test-app.js';
import {
  Library,
  LibraryServer,
  PROTO,
  TELLS_TRAILERS,
  type Found,
  type LibraryService,
} from './library-server.js';

const ANY_NUMBER: unknown = expect.any(Number);
const LIBRARY = { package: 'library', protoPath: PROTO, service: 'Library' };

@Injectable()
class Reader {
  constructor(@GrpcServiceClient('library', LIBRARY) readonly library: LibraryService) {}
}

describe('gRPC by the name of a service', () => {
  const cleanUps: (() => unknown)[] = [];
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  const startServers = async (count: number): Promise<LibraryServer[]> => {
    const servers = await Promise.all(Array.from({ length: count }, () => LibraryServer.start()));
    for (const server of servers) cleanUps.push(() => server.stop());
    return servers;
  };
  const startApp = async (
    registry: InMemoryRegistry,
    imports: DynamicModule[] = [],
    providers: Provider[] = [],
    library: ServicePolicy = {},
  ): Promise<INestApplication> => {
    const useFactory = () => ({ registry, clients: { services: { library } } });
    const discovery = DiscoveryModule.forRootAsync({ useFactory });
    const module = rootModule([discovery, GrpcDiscoveryModule, ...imports], { providers });
    const { app } = await createApp(module);
    await app.init();
    cleanUps.push(() => app.close());
    return app;
  };
  const list = (registry: InMemoryRegistry, servers: readonly LibraryServer[]): void => {
    for (const { port } of servers) registry.put({ service: 'library', id: `library-${port}`, port });
  };
  const started = async (count: number, policy: ServicePolicy = {}) => {
    const servers = await startServers(count);
    const registry = new InMemoryRegistry();
    list(registry, servers);
    const app = await startApp(registry, [], [Reader], policy);
    return { servers, registry, app, library: app.get(Reader).library };
  };
  const find = (library: LibraryService, metadata?: Metadata): Promise<Found> =>
    firstValueFrom(library.find({ title: 'Dune' }, metadata ?? new Metadata()));
  /** As of a client that is made without Nest. */
  const callFind = (client: Client): Promise<Found> =>
    new Promise((resolve, reject) => {
      const { Find: method } = client as unknown as Record<
        'Find',
        (query: object, answer: (error: ServiceError | null, found: Found) => void) => void
      >;
      method.call(client, { title: 'Emma' }, (error, found) => (error ? reject(error) : resolve(found)));
    });
  const explained = (app: INestApplication): Promise<ServiceExplanation> =>
    app.get(DiscoveryService).explain('library');

  it('a stock client of Nest calls all instances, and those that come, and no more those that go', async () => {
    const [first, second, third] = (await startServers(3)) as [LibraryServer, LibraryServer, LibraryServer];
    const registry = new InMemoryRegistry();
    list(registry, [first, second]);
    const client = ClientsModule.register([
      {
        name: 'LIBRARY',
        transport: Transport.GRPC,
        options: { package: 'library', protoPath: PROTO, url: 'rookery:library' },
      },
    ]);
    const app = await startApp(registry, [client]);
    const library = app.get<ClientGrpc>('LIBRARY').getService<LibraryService>('Library');
    const ports = new Set<number>();
    for (let n = 0; n < 30; n++) ports.add((await find(library)).port);
    expect(ports).toEqual(new Set([first.port, second.port]));
    list(registry, [third]);
    await eventually(async () => (await find(library)).port === third.port);
    registry.remove(`library-${first.port}`);
    await eventually(async () => (await explained(app)).instances.length === 2);
    const { instances } = await explained(app);
    expect(instances.map(({ id }) => id).sort()).toEqual(
      [second, third].map(({ port }) => `library-${port}`).sort(),
    );
    const before = first.calls;
    for (let n = 0; n < 20; n++) await find(library);
    expect(first.calls).toBe(before);
  });

  it('@GrpcServiceClient injects the typed service, with the name of the service for the server', async () => {
    const { servers, library, app } = await started(2);
    expect(await find(library)).toMatchObject({ title: 'Dune' });
    expect(app.get(getGrpcServiceClientToken('library', 'Library'))).toBe(library);
    const deadline = Number(servers.find(({ calls }) => calls > 0)?.deadline);
    expect(deadline - Date.now()).toBeGreaterThan(1_000);
    expect(deadline - Date.now()).toBeLessThanOrEqual(10_000);
  });

  it('a deadline that a call is given takes the place of the timeout, be it sooner or later', async () => {
    const { servers, library } = await started(1);
    const [server] = servers as [LibraryServer];
    const findBy = library.find.bind(library) as unknown as (
      query: object,
      metadata: Metadata,
      options: { deadline: number },
    ) => Observable<Found>;
    for (const ms of [5_000, 60_000]) {
      const before = Date.now();
      await firstValueFrom(findBy({ title: 'Dune' }, new Metadata(), { deadline: before + ms }));
      expect(Number(server.deadline)).toBeLessThanOrEqual(Date.now() + ms);
      expect(Number(server.deadline)).toBeGreaterThan(before + ms - 2_000);
    }
  });

  it('a channel serves clients that are made without Nest', async () => {
    const { app, servers } = await started(2);
    const channel = discoveryChannel(app.get(DiscoveryService), 'library');
    const client = new Library('library', credentials.createInsecure(), { channelOverride: channel });
    for (let n = 0; n < 20; n++) expect((await callFind(client)).title).toBe('Emma');
    expect(servers.every(({ calls }) => calls > 0)).toBe(true);
    channel.close();
  });

  it('a channel serves clients of nice-grpc', async () => {
    const { app, servers } = await started(2);
    const channel = discoveryChannel(app.get(DiscoveryService), 'library');
    const client = createClient(Library.service, channel) as unknown as {
      Find(query: object): Promise<Found>;
    };
    for (let n = 0; n < 20; n++) expect((await client.Find({ title: 'Emma' })).title).toBe('Emma');
    expect(servers.every(({ calls }) => calls > 0)).toBe(true);
    channel.close();
  });

  it('a client that comes later uses the connections of the others', async () => {
    const { app, servers, library } = await started(1);
    await find(library);
    const options = { package: 'library', protoPath: PROTO, service: 'Library' };
    const later = app.get(GrpcClients).create<LibraryService>('library', options);
    expect((await find(later)).port).toBe(servers[0]?.port);
    expect(servers[0]?.connections).toBe(1);
  });

  it('a slow instance gets few calls', async () => {
    const { servers, library } = await started(3);
    const [slow] = servers as [LibraryServer];
    slow.delayMs = 40;
    await Promise.all(
      Array.from({ length: 4 }, async () => {
        for (let n = 0; n < 75; n++) await find(library);
      }),
    );
    // A third would be its share; `npm run faults -- F61` measures it.
    expect(slow.calls).toBeLessThan(70);
  });

  it('an instance that dies without a word costs no call, though the registry still lists it, and takes calls again when it is back', async () => {
    const { servers, library } = await started(3);
    await Promise.all(Array.from({ length: 20 }, () => find(library)));
    const failures: unknown[] = [];
    const [dying] = servers as [LibraryServer];
    const callers = Array.from({ length: 8 }, async () => {
      for (let n = 0; n < 125; n++) await find(library).catch((error: unknown) => failures.push(error));
    });
    setTimeout(() => dying.kill(), 20);
    await Promise.all(callers);
    expect(failures).toEqual([]);
    dying.revive();
    const { calls } = dying;
    await eventually(
      async () => {
        await find(library);
        return dying.calls > calls + 3;
      },
      { within: 60_000, every: 20 },
    );
  }, 90_000);

  describe('an instance whose connection ends after it has begun a response', () => {
    /** A call whose response one of two servers has begun, and which the other one would answer. */
    const begunOn = async (servers: readonly LibraryServer[], makeCall: () => Promise<Found>) => {
      const [first, second] = servers as [LibraryServer, LibraryServer];
      for (const server of servers) server.beginsResponse = server.isHanging = true;
      const call = makeCall().catch((error: unknown) => error);
      await eventually(() => first.calls + second.calls === 1);
      const [broken, other] = first.calls === 1 ? [first, second] : [second, first];
      other.isHanging = false;
      // The headers are on their way; nothing tells a client of Nest that they have come.
      await sleep(100);
      return { broken, other, call };
    };
    const callOfBroken = async (policy: ServicePolicy = {}) => {
      const { servers, library, app } = await started(2, policy);
      return { ...(await begunOn(servers, () => find(library))), library, app };
    };

    it('costs no call', async () => {
      const { broken, other, library, call } = await callOfBroken();
      broken.kill();
      expect(await call).toEqual({ title: 'Dune', port: other.port });
      expect([broken.calls, other.calls]).toEqual([1, 1]);
      expect((await find(library)).port).toBe(other.port);
    });

    it('fails the call where there are no retries', async () => {
      const { broken, other, call } = await callOfBroken({ retries: 0 });
      broken.kill();
      expect(await call).toMatchObject({ code: status.UNAVAILABLE });
      expect(other.calls).toBe(0);
    });

    it('fails the call, and not the process, where the app is closed meanwhile', async () => {
      const { broken, other, app, call } = await callOfBroken();
      await app.close();
      broken.kill();
      expect(await call).toMatchObject({ code: status.CANCELLED });
      expect(other.calls).toBe(0);
    });

    /** By a client without Nest, with the retries of its interceptor. */
    const callOfInterceptor = async (retries: number) => {
      const { servers, app } = await started(2);
      const discovery = app.get(DiscoveryService);
      const channel = discoveryChannel(discovery, 'library', { retries: 0 });
      // Without the option it makes none.
      const own = retries === 0 ? {} : { retries };
      const client = new Library('library', credentials.createInsecure(), {
        channelOverride: channel,
        interceptors: [callInterceptor('library', { discovery, ...own })],
      });
      cleanUps.push(() => client.close());
      return { ...(await begunOn(servers, () => callFind(client))), channel };
    };

    it.each([
      [0, 0],
      [1, 1],
    ])(
      'is for the interceptor of a client without Nest to repeat, with its retries: %d',
      async (retries, repeated) => {
        const { broken, other, call } = await callOfInterceptor(retries);
        broken.kill();
        const end = await call;
        expect(end).toMatchObject(repeated === 0 ? { code: status.UNAVAILABLE } : { title: 'Emma' });
        expect(other.calls).toBe(repeated);
      },
    );

    it('fails the call of such a client, and not the process, where its channel is closed meanwhile', async () => {
      const { broken, other, call, channel } = await callOfInterceptor(1);
      channel.close();
      broken.kill();
      expect(await call).toMatchObject({ code: status.UNAVAILABLE });
      expect(other.calls).toBe(0);
    });

    it('fails the call if the server itself says unavailable after it has begun to respond', async () => {
      const { servers, library } = await started(2);
      for (const server of servers) {
        server.beginsResponse = true;
        server.failsWith = status.UNAVAILABLE;
        // Of its own connection to another one.
        server.details = 'stock: read ECONNRESET';
      }
      expect(await thrownBy(() => find(library))).toMatchObject({ details: 'stock: read ECONNRESET' });
      expect(servers.reduce((sum, { calls }) => sum + calls, 0)).toBe(1);
    });
  });

  it('does not ask a proxy of the environment, which knows no names of services', async () => {
    process.env.http_proxy = 'http://127.0.0.1:9';
    try {
      const { library, app, servers } = await started(1);
      expect(await find(library)).toMatchObject({ port: servers[0]?.port });
      const channel = discoveryChannel(app.get(DiscoveryService), 'library');
      const client = new Library('library', credentials.createInsecure(), { channelOverride: channel });
      cleanUps.push(() => client.close());
      expect(await callFind(client)).toMatchObject({ title: 'Emma' });
    } finally {
      delete process.env.http_proxy;
    }
  });

  it('a client takes providers of interceptors, as those of grpc-js do', async () => {
    const { app } = await started(1);
    let intercepted = 0;
    const provider = () => (options: object, next: (options: object) => unknown) => {
      intercepted++;
      return next(options);
    };
    const library = app.get(GrpcClients).create<LibraryService>('library', {
      ...LIBRARY,
      channelOptions: { interceptor_providers: [provider] },
    });
    expect(await find(library)).toMatchObject({ title: 'Dune' });
    expect(intercepted).toBe(1);
  });

  it('an instance that dies with a hundred calls under way costs none of them', async () => {
    const { servers, library } = await started(2);
    const [dying, other] = servers as [LibraryServer, LibraryServer];
    dying.isHanging = true;
    other.delayMs = 300;
    const calls = Array.from({ length: 200 }, () => find(library));
    await eventually(() => servers.reduce((sum, { calls: made }) => sum + made, 0) === 200);
    expect(dying.calls).toBeGreaterThan(60);
    dying.kill();
    const ports = (await Promise.all(calls)).map(({ port }) => port);
    expect(ports.filter((port) => port === other.port).length).toBe(200);
  });

  it('a response that is larger than the client takes does not count against its instance', async () => {
    const { servers, app, library } = await started(1);
    const [server] = servers as [LibraryServer];
    server.answer = 'x'.repeat(5 * 1024 * 1024);
    for (let n = 0; n < 6; n++)
      expect(await thrownBy(() => find(library))).toMatchObject({
        code: status.RESOURCE_EXHAUSTED,
        details: expect.stringContaining('Received message larger than max') as unknown,
      });
    expect(server.calls).toBe(6);
    const successRate: unknown = TELLS_TRAILERS ? 1 : ANY_NUMBER;
    expect((await explained(app)).instances[0]).toMatchObject({
      calls: { successRate },
    });
  });

  it('judges statuses as calls over HTTP: unavailable ejects and is retried, not found does neither', async () => {
    const { servers, library, app } = await started(3);
    const [broken, ...others] = servers as [LibraryServer, LibraryServer, LibraryServer];
    broken.failsWith = status.UNAVAILABLE;
    for (let n = 0; n < 60; n++) await find(library);
    // An error counts as a second of latency: it is avoided before it can fail five times in a row.
    expect(broken.calls).toBeGreaterThan(0);
    expect(broken.calls).toBeLessThanOrEqual(5);
    const { instances } = await explained(app);
    const shown = instances.find(({ id }) => id === `library-${broken.port}`);
    expect(shown?.calls?.latencyMs).toBeGreaterThan(100);
    for (const each of others) each.failsWith = status.NOT_FOUND;
    const before = others.reduce((sum, { calls }) => sum + calls, 0);
    for (let n = 0; n < 30; n++)
      expect(await thrownBy(() => find(library))).toMatchObject({ code: status.NOT_FOUND });
    expect(others.reduce((sum, { calls }) => sum + calls, 0) - before).toBe(30);
    const after = await explained(app);
    expect(after.instances.filter(({ state }) => state === 'ejected')).toEqual([]);
  });

  it.each([
    ['UNAVAILABLE', true],
    ['RESOURCE_EXHAUSTED', true],
    ['DEADLINE_EXCEEDED', true],
    ['INVALID_ARGUMENT', false],
    ['NOT_FOUND', false],
  ] as const)('five calls in a row that end with %s eject their instance: %s', async (name, isEjected) => {
    const policy = { strategy: 'round-robin', retries: 0, timeout: '400ms' } as const;
    const { servers, library, app } = await started(2, policy);
    const [failing] = servers as [LibraryServer];
    failing.failsWith = status[name];
    // A deadline that is much shorter than usual says nothing of the instance.
    if (name === 'DEADLINE_EXCEEDED') failing.delayMs = 250;
    // The others are between them; a failure in the first turn may be of a connection that is not there yet.
    for (let n = 0; n < 14; n++) await find(library).catch(() => undefined);
    const { instances } = await explained(app);
    const ejected = instances.filter(({ state }) => state === 'ejected').map(({ id }) => id);
    expect(ejected).toEqual(isEjected ? [`library-${failing.port}`] : []);
    expect(failing.calls).toBeGreaterThanOrEqual(5);
  });

  it('a server that hangs is left after a few calls', async () => {
    const { servers, library } = await started(3);
    for (let n = 0; n < 20; n++) await find(library);
    const [hung] = servers as [LibraryServer];
    const clients = (await startApp(listed(servers), [], [])).get(GrpcClients);
    // Its limit is for calls, and not for the connections, which clients of an app share.
    const patient = clients.create<LibraryService>('library', LIBRARY);
    for (let n = 0; n < 20; n++) await find(patient);
    hung.isHanging = true;
    const impatient = clients.create<LibraryService>('library', { ...LIBRARY, timeout: '500ms' });
    const before = hung.calls;
    let failures = 0;
    for (let n = 0; n < 100; n++) await find(impatient).catch(() => failures++);
    expect(hung.calls - before).toBeLessThanOrEqual(5);
    expect(failures).toBe(hung.calls - before);
  });

  it('an open stream is load, for as long as it is open, and its length is no latency', async () => {
    const { servers, library, app } = await started(1);
    const [server] = servers as [LibraryServer];
    await find(library);
    const streams: Subscription[] = [];
    const seen: Found[] = [];
    for (let n = 0; n < 3; n++)
      streams.push(
        library
          .follow({ title: 'Emma' })
          .subscribe({ next: (found) => seen.push(found), error: () => undefined }),
      );
    await eventually(() => seen.length === 3);
    const load = async () => (await explained(app)).instances[0]?.calls;
    const open = await load();
    expect(open?.inFlight).toBe(3);
    await new Promise((resolve) => setTimeout(resolve, 300));
    for (const stream of streams) stream.unsubscribe();
    await eventually(() => server.openStreams === 0);
    await eventually(async () => (await load())?.inFlight === 0);
    expect((await load())?.latencyMs).toBeLessThanOrEqual(open?.latencyMs ?? 0);
  });

  it('calls with the same key go to the same instance, with a strategy that uses keys; the key is not sent', async () => {
    const { servers, app } = await started(4);
    const library = app
      .get(GrpcClients)
      .create<LibraryService>('library', { ...LIBRARY, strategy: 'consistent-hash' });
    for (const key of ['alice', 'bob', 'carol']) {
      const ports = new Set<number>();
      for (let n = 0; n < 10; n++) {
        const metadata = new Metadata();
        metadata.set(HASH_KEY, key);
        ports.add((await find(library, metadata)).port);
      }
      expect(ports.size).toBe(1);
    }
    expect(servers.flatMap(({ metadata }) => Object.keys(metadata))).not.toContain(HASH_KEY);
  });

  it('a key whose instance takes connections and says nothing goes to another one', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const sockets = new Set<Socket>();
    silent.on('connection', (socket) => sockets.add(socket));
    cleanUps.push(() => {
      silent.close();
      for (const socket of sockets) socket.destroy();
    });
    const { registry, servers, app } = await started(1);
    registry.put({ service: 'library', id: 'silent', port: (silent.address() as AddressInfo).port });
    const library = app
      .get(GrpcClients)
      .create<LibraryService>('library', { ...LIBRARY, strategy: 'consistent-hash' });
    const ports = await Promise.all(
      Array.from({ length: 20 }, async (_, n) => {
        const metadata = new Metadata();
        metadata.set(HASH_KEY, `reader-${n}`);
        return (await find(library, metadata)).port;
      }),
    );
    expect(sockets.size).toBeGreaterThan(0);
    expect(new Set(ports)).toEqual(new Set([servers[0]?.port]));
  });

  it('changes nothing in the metadata of its caller, which may be that of all its calls', async () => {
    const { servers, library } = await started(1);
    const metadata = new Metadata();
    metadata.set('tenant', 'blue');
    for (let n = 0; n < 2; n++) await find(library, metadata);
    expect(metadata.getMap()).toEqual({ tenant: 'blue' });
    expect(servers[0]?.metadata).toMatchObject({ tenant: 'blue' });
  });

  it('says in the status why there is no instance, or no registry, and goes on when there is', async () => {
    const registry = new InMemoryRegistry();
    const app = await startApp(registry, [], [Reader]);
    const { library } = app.get(Reader);
    const none = await thrownBy(() => find(library));
    expect(none).toMatchObject({ code: status.UNAVAILABLE });
    expect(none.message).toContain('RK_NO_INSTANCES: no usable instance of "library"');
    const [server] = (await startServers(1)) as [LibraryServer];
    list(registry, [server]);
    await eventually(async () => (await find(library)).port === server.port);
    registry.fail();
    for (let n = 0; n < 10; n++) expect((await find(library)).port).toBe(server.port);
    const other = app.get(GrpcClients).create<LibraryService>('other', LIBRARY);
    const unreachable = await thrownBy(() => find(other));
    expect(unreachable.message).toContain('RK_REGISTRY_UNREACHABLE');
    // It was called before there was a list.
    registry.put({ service: 'other', port: server.port });
    registry.recover();
    await eventually(async () => (await find(other)).port === server.port);
  });

  it('a client that was made before its app goes on when it is there', async () => {
    const [server] = (await startServers(1)) as [LibraryServer];
    const client = new Library('rookery:library', credentials.createInsecure());
    cleanUps.push(() => client.close());
    expect((await thrownBy(() => callFind(client))).message).toContain('Import GrpcDiscoveryModule');
    const registry = new InMemoryRegistry();
    list(registry, [server]);
    await startApp(registry);
    await eventually(async () => (await callFind(client)).port === server.port);
  });

  it('a client of no app in particular goes on with another one when its app is closed', async () => {
    const [server] = (await startServers(1)) as [LibraryServer];
    const registry = new InMemoryRegistry();
    list(registry, [server]);
    await startApp(registry);
    const latest = await startApp(registry);
    const client = new Library('rookery:library', credentials.createInsecure());
    cleanUps.push(() => client.close());
    expect((await callFind(client)).port).toBe(server.port);
    expect((await explained(latest)).instances[0]?.calls).toBeDefined();
    await latest.close();
    await eventually(() => callFind(client).then(Boolean, () => false));
  });

  it('a client can wait until there is a connection, before its first call', async () => {
    const { app, servers } = await started(2);
    const channel = discoveryChannel(app.get(DiscoveryService), 'library');
    cleanUps.push(() => channel.close());
    const client = new Library('library', credentials.createInsecure(), { channelOverride: channel });
    await new Promise<void>((resolve, reject) => {
      client.waitForReady(Date.now() + 20_000, (error) => (error ? reject(error) : resolve()));
    });
    expect(servers.map(({ connections }) => connections).sort()).toEqual([0, 1]);
  });

  it('a call after the end of the app fails with its status', async () => {
    const { app } = await started(1);
    const channel = discoveryChannel(app.get(DiscoveryService), 'library');
    const client = new Library('library', credentials.createInsecure(), { channelOverride: channel });
    await callFind(client);
    await app.close();
    cleanUps.pop();
    cleanUps.push(() => channel.close());
    expect(await thrownBy(() => callFind(client))).toMatchObject({
      code: status.UNAVAILABLE,
      details: expect.stringContaining('RK_SHUT_DOWN'),
    });
  });

  it('an isFailure that throws is not asked: the default rule judges, and an event says so', async () => {
    const isFailure = (): boolean => {
      throw new TypeError('no response');
    };
    const { servers, app, library } = await started(2, { isFailure, retries: 0, strategy: 'round-robin' });
    const events: string[] = [];
    app.get(DiscoveryEvents).events$.subscribe((event) => {
      if (event.type === 'failureRule.failed') events.push(event.reason);
    });
    const [failing] = servers as [LibraryServer];
    failing.failsWith = status.UNAVAILABLE;
    await eventually(async () => {
      await find(library).catch(() => undefined);
      return (await explained(app)).instances.some(({ state }) => state === 'ejected');
    });
    expect(events).toEqual(['no response']);
  });

  it('leaves nothing open when the app is closed, no stream and no call either', async () => {
    const { app, library, servers } = await started(3);
    for (let n = 0; n < 20; n++) await find(library);
    for (const server of servers) server.isHanging = true;
    const calls = servers.reduce((sum, server) => sum + server.calls, 0);
    const call = thrownBy(() => find(library));
    const stream = thrownBy(() => lastValueFrom(library.follow({ title: 'Emma' })));
    await eventually(() => servers.reduce((sum, server) => sum + server.calls, 0) === calls + 2);
    await app.close();
    cleanUps.pop();
    const ended = { code: status.CANCELLED, details: expect.stringContaining('RK_SHUT_DOWN') };
    expect(await stream).toMatchObject(ended);
    expect(await call).toMatchObject(ended);
    await eventually(() => servers.every(({ connections }) => connections === 0));
    expect(await thrownBy(() => find(library))).toMatchObject({ message: 'Channel has been shut down' });
  });

  it('names the module that is missing, and each wrong option', async () => {
    const options = { package: 'library', protoPath: PROTO, url: 'rookery:library' };
    const client = ClientsModule.register([{ name: 'LIBRARY', transport: Transport.GRPC, options }]);
    const { app } = await createApp(rootModule([client]));
    await app.init();
    cleanUps.push(() => app.close());
    const library = app.get<ClientGrpc>('LIBRARY').getService<LibraryService>('Library');
    const missing = await thrownBy(() => find(library));
    expect(missing.message).toContain('Import GrpcDiscoveryModule of @rookery/microservices/grpc');
    expect(() => GrpcServiceClient('', { ...LIBRARY, service: '' })).toThrow(/2 options are wrong/);
    expect(() => GrpcServiceClient('library', { ...LIBRARY, hedge: true } as never)).toThrow(/hedge/);
    const withOptions = await startApp(new InMemoryRegistry());
    const create = (): unknown => withOptions.get(GrpcClients).create('library', { ...LIBRARY, retries: -1 });
    expect(create).toThrow(/retries/);
    const clients = withOptions.get(GrpcClients);
    expect(() => clients.create('library', { ...LIBRARY, hedge: true } as never)).toThrow(/hedge/);
    const discovery = withOptions.get(DiscoveryService);
    expect(() => discoveryChannel(discovery, 'library', { strategy: 'nope' as never })).toThrow(
      /discoveryChannel\('library'\).*strategy/s,
    );
  });

  function listed(servers: readonly LibraryServer[]): InMemoryRegistry {
    const registry = new InMemoryRegistry();
    list(registry, servers);
    return registry;
  }
});
