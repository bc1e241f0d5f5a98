import {
  Metadata,
  status,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerReadableStream,
} from '@grpc/grpc-js';
import { setImmediate } from 'node:timers/promises';
import { Controller, Injectable, type INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { GrpcMethod, GrpcStreamCall, Transport } from '@nestjs/microservices';
import { afterEach, describe, expect, it } from '@jest/globals';
import { DiscoveryService, RegistrationService, type ServiceOptions } from '@rookery/discovery';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';
import { GrpcClients, GrpcDiscoveryModule } from '@rookery/microservices/grpc';
import { eventually, freePorts, thrownBy } from '@rookery/test-support';
import { firstValueFrom, from, lastValueFrom, Observable, toArray } from 'rxjs';
import { createApp, rootModule } from '../e2e/test-app.js';
import { LibraryServer, PROTO, TELLS_TRAILERS, type Found, type LibraryService } from './library-server.js';

const OPTIONS = { package: 'library', protoPath: PROTO, service: 'Library' };
const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

describe('what a gRPC server receives', () => {
  const cleanUps: (() => unknown)[] = [];
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  /** Answers with what the library behind it answers. */
  @Injectable()
  class Gateway {
    library: LibraryService | undefined;
    calls = 0;
    find(query: { title: string }): Observable<Found> | Found {
      this.calls++;
      return this.library?.find(query, new Metadata()) ?? { ...query, port: 0 };
    }
  }

  @Controller()
  class GatewayController {
    constructor(private readonly gateway: Gateway) {}

    @GrpcMethod('Library', 'Find')
    find(query: { title: string }): Observable<Found> | Found {
      return this.gateway.find(query);
    }

    @GrpcStreamCall('Library', 'Discuss')
    async discuss(call: ServerDuplexStream<{ title: string }, Found>): Promise<void> {
      const queries = call.iterator({ destroyOnReturn: false }) as AsyncIterable<{ title: string }>;
      for await (const query of queries) {
        const found = this.gateway.find(query);
        call.write(found instanceof Observable ? await firstValueFrom(found) : found);
      }
      call.end();
    }

    @GrpcStreamCall('Library', 'Collect')
    async collect(
      call: ServerReadableStream<{ title: string }, Found>,
      answer: sendUnaryData<Found>,
    ): Promise<void> {
      const titles: string[] = [];
      for await (const { title } of call as AsyncIterable<{ title: string }>) titles.push(title);
      const found = this.gateway.find({ title: titles.join(' and ') });
      answer(null, found instanceof Observable ? await firstValueFrom(found) : found);
    }
  }

  const startServer = async (
    registry: InMemoryRegistry,
    service: ServiceOptions,
  ): Promise<{ server: INestMicroservice; gateway: Gateway; port: number }> => {
    const [port = 0] = await freePorts(1);
    const context = { headers: ['x-tenant'], cancelWithClient: true };
    const discovery = DiscoveryModule.forRootAsync({
      useFactory: () => ({
        registry,
        context,
        service: { check: { type: 'ttl' }, address: '127.0.0.1', ...service },
      }),
    });
    const root = rootModule([discovery, GrpcDiscoveryModule as never], {
      controllers: [GatewayController],
      providers: [Gateway],
    });
    const server = await NestFactory.createMicroservice(root, {
      transport: Transport.GRPC,
      options: { url: `127.0.0.1:${port}`, package: 'library', protoPath: PROTO },
      logger: false,
    });
    await server.listen();
    cleanUps.push(() => server.close());
    await server.get(RegistrationService).whenRegistered();
    return { server, gateway: server.get(Gateway), port };
  };
  const startCaller = async (registry: InMemoryRegistry) => {
    const discovery = DiscoveryModule.forRootAsync({ useFactory: () => ({ registry }) });
    const { app } = await createApp(rootModule([discovery, GrpcDiscoveryModule as never]));
    await app.init();
    cleanUps.push(() => app.close());
    return { clients: app.get(GrpcClients), discovery: app.get(DiscoveryService) };
  };
  const find = (library: LibraryService, metadata = new Metadata()): Promise<Found> =>
    firstValueFrom(library.find({ title: 'Dune' }, metadata));

  it('its calls end with the deadline of its caller, and send on the trace, the request id and chosen names', async () => {
    const registry = new InMemoryRegistry();
    const behind = await LibraryServer.start();
    cleanUps.push(() => behind.stop());
    registry.put({ service: 'library', port: behind.port });
    const { server, gateway } = await startServer(registry, { name: 'gateway' });
    gateway.library = server.get(GrpcClients).create('library', OPTIONS);
    const caller = (await startCaller(registry)).clients.create<LibraryService>('gateway', {
      ...OPTIONS,
      timeout: '2s',
    });
    const metadata = new Metadata();
    metadata.set('traceparent', TRACE);
    metadata.set('x-tenant', 'acme');
    metadata.set('x-secret', 'stays here');
    const calledAt = Date.now();
    expect(await find(caller, metadata)).toMatchObject({ port: behind.port });
    expect(behind.metadata).toMatchObject({ traceparent: TRACE, 'x-tenant': 'acme' });
    expect(behind.metadata['x-request-id']).toEqual(expect.any(String));
    expect(behind.metadata).not.toHaveProperty('x-secret');
    // Ten seconds are its own limit.
    expect(Number(behind.deadline) - calledAt).toBeLessThanOrEqual(5_000);
    behind.isHanging = true;
    const late = await thrownBy(() => find(caller, metadata));
    expect(late).toMatchObject({ code: status.DEADLINE_EXCEEDED });
  });

  it('its calls end when its caller has left, where an option says so', async () => {
    const registry = new InMemoryRegistry();
    // Longer than the test waits.
    const patient = { ...OPTIONS, timeout: '60s' } as const;
    const behind = await LibraryServer.start();
    cleanUps.push(() => behind.stop());
    registry.put({ service: 'library', port: behind.port });
    const { server, gateway } = await startServer(registry, { name: 'gateway' });
    const library = server.get(GrpcClients).create<LibraryService>('library', patient);
    // A promise: Nest unsubscribes from what is an Observable.
    gateway.library = { ...library, find: (...args) => from(firstValueFrom(library.find(...args))) };
    const caller = (await startCaller(registry)).clients.create<LibraryService>('gateway', patient);
    await find(caller);
    expect(behind.cancelled).toBe(0);
    behind.isHanging = true;
    const leaving = caller.find({ title: 'Dune' }).subscribe({ error: () => undefined });
    await eventually(() => behind.calls === 2);
    leaving.unsubscribe();
    await eventually(() => behind.cancelled === 1);
  });

  it('what goes on after the answer is not cancelled, although grpc-js says of each call that it is', async () => {
    const registry = new InMemoryRegistry();
    const behind = await LibraryServer.start();
    cleanUps.push(() => behind.stop());
    registry.put({ service: 'library', port: behind.port });
    const { server, gateway } = await startServer(registry, { name: 'gateway' });
    const library = server.get(GrpcClients).create<LibraryService>('library', OPTIONS);
    let later: Promise<Found> | undefined;
    behind.delayMs = 500;
    gateway.library = {
      ...library,
      find: (...args) => {
        later = firstValueFrom(library.find(...args));
        return from([{ title: 'at once', port: 0 }]);
      },
    };
    const caller = (await startCaller(registry)).clients.create<LibraryService>('gateway', OPTIONS);
    expect(await find(caller)).toMatchObject({ title: 'at once' });
    expect(await later).toMatchObject({ title: 'Dune' });
    expect(behind.cancelled).toBe(0);
  });

  it('a handler that reads the stream itself sends on what came along, and refuses a call for another service', async () => {
    const registry = new InMemoryRegistry();
    const behind = await LibraryServer.start();
    cleanUps.push(() => behind.stop());
    registry.put({ service: 'library', port: behind.port });
    const { server, gateway, port } = await startServer(registry, { name: 'gateway' });
    gateway.library = server.get(GrpcClients).create('library', OPTIONS);
    const { clients } = await startCaller(registry);
    const metadata = new Metadata();
    metadata.set('x-tenant', 'acme');
    const discuss = (service: string): Promise<Found[]> =>
      lastValueFrom(
        clients
          .create<LibraryService>(service, { ...OPTIONS, retries: 0 })
          .discuss(from([{ title: 'Dune' }, { title: 'Emma' }]), metadata)
          .pipe(toArray()),
      );
    expect((await discuss('gateway')).map(({ title }) => title)).toEqual(['Dune', 'Emma']);
    expect(behind.metadata).toMatchObject({ 'x-tenant': 'acme' });
    const [registered] = await registry.readConsistent('gateway', {});
    registry.put({ ...registered, service: 'orders', id: 'old', port });
    expect(await thrownBy(() => discuss('orders'))).toMatchObject({
      code: status.UNAVAILABLE,
      details: 'This is gateway, not orders',
    });
    expect(gateway.calls).toBe(2);
  });

  it('what is called for a stream that was read to its end ends when its caller leaves before the answer', async () => {
    const registry = new InMemoryRegistry();
    const behind = await LibraryServer.start();
    cleanUps.push(() => behind.stop());
    registry.put({ service: 'library', port: behind.port });
    const { server, gateway } = await startServer(registry, { name: 'gateway' });
    const patient = { ...OPTIONS, timeout: '60s' } as const;
    const library = server.get(GrpcClients).create<LibraryService>('library', patient);
    let called: Promise<Found> | undefined;
    gateway.library = {
      ...library,
      find: (...args) => from((called = firstValueFrom(library.find(...args)))),
    };
    const caller = (await startCaller(registry)).clients.create<LibraryService>('gateway', patient);
    const collect = (): Observable<Found> => caller.collect(from([{ title: 'Dune' }, { title: 'Emma' }]));
    expect(await firstValueFrom(collect())).toMatchObject({ title: 'Dune and Emma' });
    behind.isHanging = true;
    const leaving = collect().subscribe({ error: () => undefined });
    await eventually(() => behind.calls === 2);
    expect(behind.cancelled).toBe(0);
    leaving.unsubscribe();
    await eventually(() => behind.cancelled === 1);
    // The handler fails with it, and a rejection that nobody handles would be told within a turn.
    expect(await thrownBy(() => called)).toMatchObject({ code: status.CANCELLED });
    await setImmediate();
  });

  it('in a hybrid app too, where the microservice inherits what the app has', async () => {
    const registry = new InMemoryRegistry();
    const behind = await LibraryServer.start();
    cleanUps.push(() => behind.stop());
    registry.put({ service: 'library', port: behind.port });
    const [port = 0] = await freePorts(1);
    const context = { headers: ['x-tenant'] };
    const discovery = DiscoveryModule.forRootAsync({ useFactory: () => ({ registry, context }) });
    const root = rootModule([discovery, GrpcDiscoveryModule as never], {
      controllers: [GatewayController],
      providers: [Gateway],
    });
    const { app } = await createApp(root);
    cleanUps.push(() => app.close());
    const options = { url: `127.0.0.1:${port}`, package: 'library', protoPath: PROTO };
    app.connectMicroservice({ transport: Transport.GRPC, options }, { inheritAppConfig: true });
    await app.startAllMicroservices();
    await app.init();
    app.get(Gateway).library = app.get(GrpcClients).create('library', OPTIONS);
    registry.put({ service: 'gateway', port });
    const caller = (await startCaller(registry)).clients.create<LibraryService>('gateway', OPTIONS);
    const metadata = new Metadata();
    metadata.set('x-tenant', 'acme');
    await find(caller, metadata);
    expect(behind.metadata).toMatchObject({ 'x-tenant': 'acme' });
  });

  it('reports its load to clients that choose by it', async () => {
    const registry = new InMemoryRegistry();
    for (let n = 0; n < 2; n++) await startServer(registry, { name: 'gateway' });
    const { clients, discovery } = await startCaller(registry);
    const reports = async (): Promise<(number | undefined)[]> => {
      const { instances } = await discovery.explain('gateway');
      return instances.map(({ calls }) => calls?.reported?.inFlight);
    };
    const byLatency = clients.create<LibraryService>('gateway', OPTIONS);
    for (let n = 0; n < 20; n++) await find(byLatency);
    expect(await reports()).toEqual([undefined, undefined]);
    const byLoad = clients.create<LibraryService>('gateway', { ...OPTIONS, strategy: 'p2c-load' });
    // Behind a proxy, who asks is not known.
    const proxied = new Metadata();
    proxied.set('x-forwarded-for', '203.0.113.9');
    for (let n = 0; n < 20; n++) await find(byLoad, proxied);
    expect(await reports()).toEqual([undefined, undefined]);
    const expected = TELLS_TRAILERS ? 0 : undefined;
    await eventually(async () => {
      await find(byLoad);
      return (await reports()).every((inFlight) => inFlight === expected);
    });
  });

  it('a call for the service that had its address before is refused, and goes elsewhere', async () => {
    const registry = new InMemoryRegistry();
    const orders = await startServer(registry, { name: 'orders' });
    const gateway = await startServer(registry, { name: 'gateway' });
    // The list is of yesterday: it has the address of what is now the orders.
    const [registered] = await registry.readConsistent('gateway', {});
    registry.put({ ...registered, service: 'gateway', id: 'old', port: orders.port });
    const caller = (await startCaller(registry)).clients.create<LibraryService>('gateway', OPTIONS);
    for (let n = 0; n < 20; n++) expect(await find(caller)).toMatchObject({ title: 'Dune' });
    expect(orders.gateway.calls).toBe(0);
    expect(gateway.gateway.calls).toBe(20);
    const strict = (await startCaller(registry)).clients.create<LibraryService>('gateway', {
      ...OPTIONS,
      retries: 0,
    });
    await eventually(async () => {
      const error = await find(strict).then(
        () => undefined,
        (refused: unknown) => refused as Error,
      );
      return error?.message.includes('This is orders, not gateway');
    });
  });
});
