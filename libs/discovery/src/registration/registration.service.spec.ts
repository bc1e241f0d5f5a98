import { once } from 'node:events';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { ConsoleLogger, Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, RecordingLogger, settle } from '@rookery/test-support';
import { DiscoveryError } from '../errors/discovery-error.js';
import { DiscoveryEvents } from '../events/discovery-events.js';
import type { HealthService } from '../health/health.service.js';
import { ReconnectSignal } from '../registry/reconnect-signal.js';
import { RegistryReachability } from '../registry/registry-reachability.js';
import { InMemoryRegistry } from '../testing/in-memory.registry.js';
import type { AppServers, ListeningServer } from './location/app-servers.js';
import type { ServiceOptions } from './options/service-options.js';
import { RegistrationService, type RegistrationOptions } from './registration.service.js';

const SHUTDOWN: RegistrationOptions['shutdown'] = {
  ...{ drainMs: 1_000, inFlightMs: 1_000, totalMs: 5_000, releasePortFirst: false },
  ...{ deregisterTimeoutMs: 2_000, deregister: true },
};

/** The servers of an app that has listened, or will when it is told to. */
class FakeServers {
  readonly adapter: { beforeClose?: () => Promise<unknown> } = {};
  readonly microservices = [];
  /** Of the services by name; the others have one. */
  readonly missing = new Map<string, string>();
  readonly waits: string[] = [];
  server: ListeningServer | undefined;
  http: HttpServer | undefined;
  listening: Promise<void> = Promise.resolve();

  missingServer({ name }: ServiceOptions): string | undefined {
    return this.missing.get(name);
  }

  httpServer(): HttpServer | undefined {
    return this.http;
  }

  async untilListening({ name }: ServiceOptions, signal: AbortSignal): Promise<ListeningServer | undefined> {
    this.waits.push(name);
    await Promise.race([
      this.listening,
      new Promise((_resolve, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
      ),
    ]);
    return this.server;
  }
}

describe('RegistrationService', () => {
  let clock: FakeClock;
  let registry: InMemoryRegistry;
  let also: InMemoryRegistry;
  let servers: FakeServers;
  let logger: RecordingLogger;
  let events: DiscoveryEvents;
  let emitted: string[];
  let health: string[];
  let status: string;
  let left: number;
  const running: RegistrationService[] = [];

  beforeEach(() => {
    clock = new FakeClock();
    registry = new InMemoryRegistry();
    also = new InMemoryRegistry();
    servers = new FakeServers();
    servers.server = {
      ...{ host: '::', port: 3000, secure: false, http: undefined, connections: undefined },
      hasGrpcHealth: false,
    };
    logger = new RecordingLogger();
    Logger.overrideLogger(logger);
    events = new DiscoveryEvents();
    emitted = [];
    events.events$.subscribe(({ type }) => emitted.push(type));
    health = [];
    status = 'ok';
    left = 0;
  });
  afterEach(async () => {
    for (const service of running.splice(0)) {
      const closing = service.onModuleDestroy();
      await clock.advance(20_000);
      await closing;
      service.onApplicationShutdown();
    }
    Logger.overrideLogger(new ConsoleLogger());
  });

  const create = (
    services: readonly ServiceOptions[] = [{ name: 'inventory' }],
    changes: Partial<RegistrationOptions> = {},
  ): RegistrationService => {
    const fake = {
      check: async () => ({ status, details: {} }),
      markReady: () => health.push('ready'),
      markNotReady: (reason: string) => health.push(reason),
    };
    const service = new RegistrationService(
      registry,
      servers as unknown as AppServers,
      fake as unknown as HealthService,
      {
        services,
        alsoRegister: [],
        healthPath: '/health',
        globalPrefix: () => '/api',
        startup: 'background',
        shutdown: SHUTDOWN,
        environment: { address: undefined, zone: 'eu-1a' },
        clock,
        random: () => 0.5,
        reconnectSignal: new ReconnectSignal(),
        reachability: new RegistryReachability(clock, {
          onUnreachable: () => undefined,
          onReachable: () => undefined,
        }),
        events,
        onLeaving: () => left++,
        ...changes,
      },
    );
    running.push(service);
    return service;
  };
  const start = async (...args: Parameters<typeof create>): Promise<RegistrationService> => {
    const service = create(...args);
    await service.onApplicationBootstrap();
    await clock.advance(500);
    return service;
  };
  const close = async (service: RegistrationService): Promise<void> => {
    const closing = service.onModuleDestroy();
    await clock.advance(20_000);
    await closing;
  };
  const registered = async (of = registry): Promise<string[]> => Object.keys(await of.services()).sort();

  it('registers the app once it listens, and deregisters it when it closes', async () => {
    let listen: () => void = () => undefined;
    servers.listening = new Promise((resolve) => (listen = resolve));
    const service = create();
    const seen: string[] = [];
    service.status$.subscribe(({ state }) => seen.push(state));
    expect([service.status.state, service.instance]).toEqual(['idle', { service: 'inventory' }]);
    await service.onApplicationBootstrap();
    await clock.advance(1_000);
    expect(await registered()).toEqual([]);
    listen();
    await clock.advance(1_000);
    await service.whenRegistered();
    const { id, ...instance } = service.instance;
    expect(id).toMatch(/^inventory-.*-3000$/);
    expect(instance).toEqual({ service: 'inventory', port: 3000 });
    expect(registry.record(id ?? '')).toMatchObject({ port: 3000, meta: { zone: 'eu-1a' } });
    expect(service.status).toMatchObject({ state: 'registered', id, service: 'inventory' });
    expect(service.status.instances).toHaveLength(1);
    await close(service);
    expect(await registered()).toEqual([]);
    expect([left, health.at(-1), service.shutdownSignal.aborted]).toEqual([
      1,
      'the app is shutting down',
      true,
    ]);
    // Idle without an instance, and with it.
    expect(seen).toEqual(['idle', 'idle', 'registered', 'deregistered']);
    service.onApplicationShutdown();
    expect(clock.pending).toBe(0);
  });

  it('advertises the address that was configured', async () => {
    const service = await start([{ name: 'inventory', address: '10.0.0.7', port: 80 }]);
    expect(service.instance).toMatchObject({ address: '10.0.0.7', port: 80 });
    expect(service.isAdvertised('10.0.0.7:80')).toBe(true);
    expect(service.isAdvertised('10.0.0.7:3000')).toBe(false);
  });

  it('registers nothing without a service', async () => {
    const service = await start([]);
    expect(servers.waits).toEqual([]);
    expect([service.instance, service.isAdvertised('x:1')]).toEqual([{}, false]);
    await expect(service.whenRegistered()).rejects.toMatchObject({
      code: 'RK_CONFIG_INVALID',
      hint: 'Set service.name: without it the app only discovers',
    });
    await expect(service.setMaintenance(true)).rejects.toThrow('this app has nothing to register');
    await expect(service.setMaintenance(true, 'x', { service: 'orders' })).rejects.toMatchObject({
      code: 'RK_INVALID_ARGUMENT',
      hint: 'It registers nothing',
    });
  });

  it('says which service has no server, and registers the others', async () => {
    servers.missing.set('orders', 'this app has no microservice with transport TCP');
    const service = await start([{ name: 'orders', transport: 'tcp' }, { name: 'inventory' }]);
    await service.whenRegistered();
    expect(await registered()).toEqual(['inventory']);
    expect(logger.matching(/warn "orders" is not registered: this app has no microservice/)).toHaveLength(1);
    servers.missing.set('inventory', 'nor this one');
    await expect(service.whenRegistered()).rejects.toMatchObject({
      hint: '"orders": this app has no microservice with transport TCP; "inventory": nor this one',
    });
  });

  it('says that the port of a server is unknown', async () => {
    servers.server = undefined;
    const service = await start();
    expect(
      logger.matching(/warn "inventory" is not registered: its port is unknown.*set service.port/),
    ).toHaveLength(1);
    expect(service.status).toMatchObject({ state: 'idle', service: 'inventory' });
  });

  it('warns of a name that DNS cannot find, once for all registries', async () => {
    await start([{ name: 'my_shop' }], { alsoRegister: [also] });
    expect(logger.matching(/service.name = "my_shop": DNS cannot find it/)).toHaveLength(1);
    expect(logger.matching(/DNS/)).toHaveLength(1);
    await start([{ name: 'a'.repeat(63), id: 'x' }]);
    expect(logger.matching(/DNS/)).toHaveLength(1);
  });

  it('refuses a second service with the same id', async () => {
    await start([
      { name: 'inventory', id: 'same' },
      { name: 'orders', id: 'same' },
    ]);
    expect(
      logger.matching(/error "orders" is not registered: another service of this app has the id "same"/),
    ).toHaveLength(1);
    expect(await registered()).toEqual(['inventory']);
  });

  it('registers in other registries, too, of which the status does not tell', async () => {
    const service = await start([{ name: 'inventory' }, { name: 'orders', port: 3001 }], {
      alsoRegister: [also],
    });
    expect([await registered(), await registered(also)]).toEqual([
      ['inventory', 'orders'],
      ['inventory', 'orders'],
    ]);
    expect(service.status.instances.map(({ service: name }) => name)).toEqual(['inventory', 'orders']);
    also.fail();
    await clock.advance(60_000);
    expect(service.status.state).toBe('registered');
    also.recover();
    await close(service);
    expect([await registered(), await registered(also)]).toEqual([[], []]);
  });

  it('waits as long as it is told to after it listens', async () => {
    const service = create([{ name: 'inventory', registrationDelay: '5s' }]);
    await service.onApplicationBootstrap();
    await clock.advance(4_999);
    expect(await registered()).toEqual([]);
    await clock.advance(1_000);
    expect(await registered()).toEqual(['inventory']);
  });

  it('with register: manual registers when it is told to', async () => {
    const service = await start([{ name: 'inventory', register: 'manual' }]);
    expect(await registered()).toEqual([]);
    await service.register();
    await clock.advance(500);
    expect([await registered(), health]).toEqual([['inventory'], ['ready']]);
  });

  it('tells its status also to what comes after a subscriber that throws', async () => {
    const service = create();
    const seen: string[] = [];
    service.status$.subscribe(() => {
      throw new Error('of the app');
    });
    service.status$.subscribe(({ state }) => seen.push(state));
    await service.onApplicationBootstrap();
    await clock.advance(500);
    expect(seen.at(-1)).toBe('registered');
    expect(logger.matching(/^error .*status threw: of the app/).length).toBeGreaterThan(1);
  });

  it('tries again where something is in the way, such as a port of checks that is taken', async () => {
    Object.assign(servers.server ?? {}, { secure: true, http: createServer() });
    let tries = 0;
    const checkPort = async (): Promise<number> => {
      if (++tries < 3) throw new Error('listen EADDRINUSE');
      return 8_081;
    };
    const service = create([{ name: 'inventory' }], { mesh: { checkPort } });
    await service.onApplicationBootstrap();
    await clock.advance(500);
    expect(await registered()).toEqual([]);
    await clock.advance(10_000);
    expect([await registered(), tries]).toEqual([['inventory'], 3]);
    expect(logger.matching(/error cannot register "inventory", retrying: listen EADDRINUSE/)).toHaveLength(1);
  });

  it('logs why it cannot be registered, and nothing once it is shutting down', async () => {
    servers.listening = Promise.reject(new Error('no such server'));
    await start();
    expect(logger.matching(/error cannot register "inventory": no such server/)).toHaveLength(1);
    servers.listening = new Promise(() => undefined);
    const service = await start();
    await close(service);
    expect(logger.matching(/error/)).toHaveLength(1);
  });

  it('is not registered before it is ready', async () => {
    status = 'error';
    const service = await start();
    expect([await registered(), service.status.state]).toEqual([[], 'pending']);
    status = 'ok';
    await clock.advance(1_000);
    expect(await registered()).toEqual(['inventory']);
  });

  it('is deregistered and registered again on command, one command after the other', async () => {
    const service = await start();
    const commands = [service.deregister(), service.register()];
    await clock.advance(1_000);
    await Promise.all(commands);
    expect(await registered()).toEqual(['inventory']);
    await service.deregister();
    expect([await registered(), service.status.state]).toEqual([[], 'deregistered']);
    await service.register();
    await clock.advance(1_000);
    expect(await registered()).toEqual(['inventory']);
  });

  it('does what is to be done before it leaves, each time, whether that succeeds or not', async () => {
    const service = await start();
    const done: string[] = [];
    service.beforeLeaving(async () => {
      done.push((await registered()).join());
      throw new Error('in vain');
    });
    await service.deregister();
    await service.register();
    await clock.advance(1_000);
    await close(service);
    expect(done).toEqual(['inventory', 'inventory']);
  });

  it('drains: it is deregistered and not ready while its requests are answered, until it is registered again', async () => {
    const service = await start();
    const draining = service.drain();
    await clock.advance(500);
    expect([await registered(), health]).toEqual([[], ['the app is drained']]);
    let isDrained = false;
    void draining.then(() => (isDrained = true));
    await settle();
    expect(isDrained).toBe(false);
    await clock.advance(500);
    await draining;
    await service.register();
    await clock.advance(1_000);
    expect([await registered(), health.at(-1)]).toEqual([['inventory'], 'ready']);
  });

  it('puts all or one of its services into maintenance, also those that are not registered yet', async () => {
    const service = create([
      { name: 'inventory', id: 'i' },
      { name: 'orders', id: 'o' },
    ]);
    await service.setMaintenance(true, 'migrating', { service: 'orders' });
    await service.onApplicationBootstrap();
    await clock.advance(1_000);
    expect([registry.record('i')?.maintenance, registry.record('o')?.maintenance]).toEqual([
      undefined,
      'migrating',
    ]);
    await service.setMaintenance(true);
    await clock.advance(1_000);
    expect([registry.record('i')?.maintenance, registry.record('o')?.maintenance]).toEqual([
      'maintenance',
      'maintenance',
    ]);
    await service.setMaintenance(false);
    await clock.advance(1_000);
    expect([registry.record('i')?.maintenance, registry.record('o')?.maintenance]).toEqual([
      undefined,
      undefined,
    ]);
    expect(emitted.filter((type) => type.startsWith('maintenance'))).toEqual([
      'maintenance.started',
      'maintenance.started',
      'maintenance.ended',
    ]);
    await expect(service.setMaintenance(true, 'x', { service: 'reviews' })).rejects.toMatchObject({
      code: 'RK_INVALID_ARGUMENT',
      message: expect.stringContaining('this app does not register "reviews"'),
      hint: 'It registers "inventory", "orders"',
    });
  });

  describe('with startup: fail-fast', () => {
    it('asks whether the registry answers, and takes the token', async () => {
      await create([], { startup: 'fail-fast' }).onApplicationBootstrap();
      expect([registry.requests.ping, registry.requests.services]).toEqual([1, 1]);
      registry.services = async () => Promise.reject(new DiscoveryError('RK_ACL_DENIED', 'no right', {}));
      await expect(create([], { startup: 'fail-fast' }).onApplicationBootstrap()).rejects.toThrow('no right');
    });

    it('does not start without it, and does in the background', async () => {
      registry.fail();
      const failing = create([{ name: 'inventory' }], { startup: 'fail-fast' });
      await expect(failing.onApplicationBootstrap()).rejects.toMatchObject({
        code: 'RK_REGISTRY_UNREACHABLE',
      });
      expect(servers.waits).toEqual([]);
      await create([{ name: 'inventory' }]).onApplicationBootstrap();
      expect(registry.requests.ping).toBe(1);
    });
  });

  it('leaves once, before Nest closes its server, and is shut down for good', async () => {
    const service = await start();
    const closing = Promise.all([servers.adapter.beforeClose?.(), service.onModuleDestroy()]);
    await clock.advance(20_000);
    await closing;
    expect([left, registry.requests.deregister]).toEqual([1, 1]);
    await expect(service.register()).rejects.toMatchObject({ code: 'RK_SHUT_DOWN' });
    service.onApplicationShutdown();
    expect(servers.adapter.beforeClose).toBeUndefined();
    await expect(service.whenRegistered()).rejects.toMatchObject({ code: 'RK_SHUT_DOWN' });
    let isComplete = false;
    service.status$.subscribe({ complete: () => (isComplete = true) });
    expect(isComplete).toBe(true);
  });

  it('leaves on a signal, and listens to none any more once it is shut down', async () => {
    const before = process.listenerCount('SIGTERM');
    const service = await start();
    expect(process.listenerCount('SIGTERM')).toBe(before + 1);
    await close(service);
    service.onApplicationShutdown();
    expect(process.listenerCount('SIGTERM')).toBe(before);
  });

  it('keeps the registration when it ends, where it is told to, and removes it on command all the same', async () => {
    const shutdown = { ...SHUTDOWN, deregister: false };
    const service = await start(undefined, { shutdown });
    await service.deregister();
    expect(await registered()).toEqual([]);
    await service.register();
    await clock.advance(1_000);
    await close(service);
    expect([await registered(), registry.requests.deregister]).toEqual([['inventory'], 1]);
  });

  it('waits for callers only if they may know it', async () => {
    const waitedMs = async (service: RegistrationService): Promise<number> => {
      const closing = service.onModuleDestroy().then(() => clock.now());
      const begun = clock.now();
      await clock.advance(20_000);
      return (await closing) - begun;
    };
    expect(await waitedMs(await start())).toBe(1_000);
    expect(await waitedMs(await start([{ name: 'inventory', register: 'manual' }]))).toBe(0);
  });

  it('follows the requests of its HTTP server from the start, and lets it go in the end', async () => {
    const http = createHttpServer((_request, response) => response.end());
    servers.http = http;
    const before = http.listenerCount('request');
    const service = await start([{ name: 'inventory' }, { name: 'orders', port: 3001 }]);
    expect(http.listenerCount('request')).toBe(before + 1);
    await close(service);
    service.onApplicationShutdown();
    expect(http.listenerCount('request')).toBe(before);
  });

  it('warns once it is registered where others cannot reach it', async () => {
    const other = createServer((socket) => socket.on('error', () => undefined).destroy());
    other.listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    Object.assign(servers.server ?? {}, { port, connections: createServer() });
    await start([{ name: 'inventory', address: '127.0.0.1' }]);
    for (let tries = 0; tries < 200 && logger.matching(/cannot reach/).length === 0; tries++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect(logger.matching(/warn others cannot reach "inventory-.*another process answers/)).toHaveLength(1);
    other.close();
  });

  it('sends heartbeats where the check wants them', async () => {
    await start([{ name: 'inventory', check: { type: 'ttl', ttl: '3s' } }]);
    expect(registry.requests.report).toBe(1);
    await clock.advance(3_000);
    expect(registry.requests.report).toBeGreaterThanOrEqual(3);
  });
});
