import { status } from '@grpc/grpc-js';
import { Injectable } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { DiscoveryEvents, type ClientsOptions, type ServiceInstance } from '@rookery/discovery';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';
import { GrpcDiscoveryModule, GrpcServiceClient } from '@rookery/microservices/grpc';
import { eventually, TcpProxy } from '@rookery/test-support';
import { firstValueFrom } from 'rxjs';
import { createApp, rootModule } from '../e2e/test-app.js';
import { LibraryServer, PROTO, type Found, type LibraryService } from './library-server.js';

@Injectable()
class Reader {
  constructor(
    @GrpcServiceClient('library', { package: 'library', protoPath: PROTO, service: 'Library' })
    readonly library: LibraryService,
  ) {}
}

// How shares are decided is tested at the pools, which calls of all transports use; here, that calls over gRPC do.
describe('calls over gRPC are balanced as others are', () => {
  const cleanUps: (() => unknown)[] = [];
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  const startServers = async (count: number): Promise<LibraryServer[]> => {
    const servers = await Promise.all(Array.from({ length: count }, () => LibraryServer.start()));
    for (const server of servers) cleanUps.push(() => server.stop());
    return servers;
  };
  const startCaller = async (clients: ClientsOptions, registry: InMemoryRegistry) => {
    const discovery = DiscoveryModule.forRootAsync({ useFactory: () => ({ registry, clients }) });
    const { app } = await createApp(rootModule([discovery, GrpcDiscoveryModule], { providers: [Reader] }));
    await app.init();
    cleanUps.push(() => app.close());
    const { library } = app.get(Reader);
    const find = (): Promise<Found> => firstValueFrom(library.find({ title: 'Dune' }));
    const findAll = async (count: number): Promise<void> => {
      for (let n = 0; n < count; n++) await find();
    };
    const events: string[] = [];
    app.get(DiscoveryEvents).events$.subscribe(({ type }) => events.push(type));
    return { find, findAll, events };
  };
  const put = (registry: InMemoryRegistry, port: number, fields: Partial<ServiceInstance> = {}): void => {
    registry.put({ service: 'library', port, ...fields });
  };
  const callsOf = (servers: readonly LibraryServer[]): number[] => servers.map(({ calls }) => calls);

  it('by weight', async () => {
    const servers = await startServers(2);
    const registry = new InMemoryRegistry();
    for (const [n, { port }] of servers.entries()) put(registry, port, { weight: n === 0 ? 1 : 3 });
    const { findAll } = await startCaller({ strategy: 'weighted-round-robin', slowStart: false }, registry);
    // Each has a connection.
    await findAll(20);
    const before = callsOf(servers);
    await findAll(80);
    expect(callsOf(servers).map((calls, n) => calls - (before[n] ?? 0))).toEqual([20, 60]);
  });

  it('within the zone of the app', async () => {
    const servers = await startServers(6);
    const registry = new InMemoryRegistry();
    for (const [n, { port }] of servers.entries()) put(registry, port, { zone: n < 3 ? 'eu-1a' : 'eu-1b' });
    const { findAll } = await startCaller({ strategy: 'round-robin', zone: 'eu-1a' }, registry);
    await findAll(60);
    expect(callsOf(servers).map((calls) => calls > 0)).toEqual([true, true, true, false, false, false]);
  });

  it('with less for a new instance', async () => {
    const [first, second, added] = (await startServers(3)) as [LibraryServer, LibraryServer, LibraryServer];
    const registry = new InMemoryRegistry();
    for (const { port } of [first, second]) put(registry, port);
    const { findAll } = await startCaller({ strategy: 'weighted-round-robin' }, registry);
    await findAll(20);
    put(registry, added.port);
    await eventually(async () => {
      await findAll(1);
      return added.calls > 0;
    });
    const before = callsOf([first, added]);
    await findAll(60);
    const [old = 0, young = 0] = callsOf([first, added]).map((calls, n) => calls - (before[n] ?? 0));
    expect(young).toBeGreaterThan(0);
    expect(young).toBeLessThan(old / 2);
  });

  it('over a part of a large service', async () => {
    const [server] = (await startServers(1)) as [LibraryServer];
    const proxies = await Promise.all(Array.from({ length: 130 }, () => TcpProxy.start(server.directPort)));
    cleanUps.push(() => Promise.all(proxies.map((proxy) => proxy.stop())));
    const registry = new InMemoryRegistry();
    for (const { port } of proxies) put(registry, port);
    const { findAll } = await startCaller({ strategy: 'round-robin' }, registry);
    const called = (): number => proxies.filter(({ connections }) => connections > 0).length;
    await eventually(async () => {
      await findAll(50);
      return called() === 100;
    });
    await findAll(200);
    expect(called()).toBe(100);
  });

  it('over those that are ejected, too, when too few are left', async () => {
    const servers = await startServers(4);
    const [, failing] = servers as [LibraryServer, LibraryServer];
    const registry = new InMemoryRegistry();
    for (const [n, { port }] of servers.entries())
      put(registry, port, { status: n < 2 ? 'passing' : 'critical' });
    const { find, events } = await startCaller({ strategy: 'round-robin', retries: 0 }, registry);
    failing.failsWith = status.UNAVAILABLE;
    await eventually(async () => {
      await find().catch(() => undefined);
      return events.includes('service.panic');
    });
    const before = callsOf(servers);
    for (let n = 0; n < 20; n++) await find().catch(() => undefined);
    expect(callsOf(servers).map((calls, n) => calls - (before[n] ?? 0))).toEqual([10, 10, 0, 0]);
  });
});
