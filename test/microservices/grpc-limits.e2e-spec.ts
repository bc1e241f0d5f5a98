import { Metadata, status } from '@grpc/grpc-js';
import { SpanKind } from '@opentelemetry/api';
import { afterEach, describe, expect, it } from '@jest/globals';
import { DiscoveryService, type ServicePolicy } from '@rookery/discovery';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';
import { callInterceptor, GrpcClients, GrpcDiscoveryModule } from '@rookery/microservices/grpc';
import { eventually, thrownBy } from '@rookery/test-support';
import { firstValueFrom } from 'rxjs';
import { createApp, rootModule } from '../e2e/test-app.js';
import { TelemetrySdk } from '../e2e/telemetry-sdk.js';
import { LibraryServer, PROTO, type Found, type LibraryService } from './library-server.js';

const OPTIONS = { package: 'library', protoPath: PROTO, service: 'Library' };

describe('calls over gRPC', () => {
  const cleanUps: (() => unknown)[] = [];
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });
  const start = async (policy: ServicePolicy, count = 1) => {
    const servers = await Promise.all(Array.from({ length: count }, () => LibraryServer.start()));
    const registry = new InMemoryRegistry();
    for (const server of servers) {
      cleanUps.push(() => server.stop());
      registry.put({ service: 'library', port: server.port });
    }
    const useFactory = () => ({ registry, clients: { services: { library: policy } } });
    const { app } = await createApp(
      rootModule([DiscoveryModule.forRootAsync({ useFactory }), GrpcDiscoveryModule]),
    );
    await app.init();
    cleanUps.push(() => app.close());
    const clients = app.get(GrpcClients);
    const library = clients.create<LibraryService>('library', OPTIONS);
    const [server] = servers as [LibraryServer];
    return { app, server, servers, clients, library };
  };
  const find = (library: LibraryService): Promise<Found> =>
    firstValueFrom(library.find({ title: 'Dune' }, new Metadata()));

  it('are rejected at once while the circuit breaker is open, and go on after a trial', async () => {
    const { server, library } = await start({
      circuitBreaker: { failureRate: 0.5, minimumCalls: 5, openFor: '2s' },
      retries: 0,
    });
    server.failsWith = status.UNAVAILABLE;
    for (let n = 0; n < 5; n++) await thrownBy(() => find(library));
    const before = server.calls;
    const rejected = await thrownBy(() => find(library));
    expect(rejected).toMatchObject({ code: status.UNAVAILABLE });
    expect(rejected.message).toContain('RK_CIRCUIT_OPEN');
    expect(server.calls).toBe(before);
    server.failsWith = undefined;
    await eventually(async () => (await find(library)).title === 'Dune');
  });

  it('wait in the queue of the bulkhead, leave it when they are cancelled, and are rejected when it is full', async () => {
    const { server, library } = await start({ bulkhead: { concurrency: 1, queue: 1 } });
    server.delayMs = 200;
    const first = find(library);
    let cancelled = false;
    const queued = library.find({ title: 'Emma' }, new Metadata()).subscribe({
      next: () => undefined,
      error: () => (cancelled = true),
    });
    const full = await thrownBy(() => find(library));
    expect(full.message).toContain('RK_OVERLOADED');
    queued.unsubscribe();
    await new Promise((resolve) => setImmediate(resolve));
    const second = find(library);
    await Promise.all([first, second]);
    expect(server.calls).toBe(2);
    expect(cancelled).toBe(false);
    await find(library);
  });

  it('end with the app, in the queue too, and leave their places to those of other clients', async () => {
    const { server, app, library } = await start({ bulkhead: { concurrency: 1, queue: 5 } });
    server.delayMs = 300;
    const others = new GrpcClients(app.get(DiscoveryService));
    const other = others.create<LibraryService>('library', OPTIONS);
    const first = find(library);
    const ends: unknown[] = [];
    other.follow({ title: 'Emma' }).subscribe({ error: (error: unknown) => ends.push(error) });
    others.onApplicationShutdown();
    await first;
    await eventually(() => ends.length === 1);
    expect(ends).toEqual([
      expect.objectContaining({
        code: status.CANCELLED,
        details: expect.stringContaining('RK_SHUT_DOWN') as unknown,
      }),
    ]);
    expect(await find(library)).toMatchObject({ title: 'Dune' });
  });

  it('end with their deadline, in the queue too', async () => {
    const { server, library } = await start({
      bulkhead: { concurrency: 1, queue: 5 },
      timeout: '300ms',
      retries: 0,
    });
    server.isHanging = true;
    const results = await Promise.all(Array.from({ length: 3 }, () => thrownBy(() => find(library))));
    expect(results.map((error) => (error as { code?: unknown }).code)).toEqual(
      [1, 2, 3].map(() => status.DEADLINE_EXCEEDED),
    );
    server.isHanging = false;
    await eventually(async () => (await find(library)).title === 'Dune');
  });

  it('that stream are read after they have waited in the queue', async () => {
    const { server, library } = await start({ bulkhead: { concurrency: 1, queue: 1 } });
    server.delayMs = 200;
    const first = find(library);
    const followed = firstValueFrom(library.follow({ title: 'Emma' }));
    await first;
    expect(await followed).toMatchObject({ title: 'Emma' });
  });

  it('that stream count until their response begins', async () => {
    const { library } = await start({ bulkhead: { concurrency: 1, queue: 0 } });
    const seen: Found[] = [];
    const stream = library
      .follow({ title: 'Emma' })
      .subscribe({ next: (found) => seen.push(found), error: () => undefined });
    await eventually(() => seen.length === 1);
    expect(await find(library)).toMatchObject({ title: 'Dune' });
    stream.unsubscribe();
  });

  it('have metrics, and a span whose trace is sent', async () => {
    const sdk = new TelemetrySdk().start();
    cleanUps.push(() => sdk.stop());
    const { server, servers, clients, library } = await start({}, 3);
    await find(library);
    const [span] = sdk.spans(SpanKind.CLIENT);
    expect(span?.name).toBe('library.Library/Find');
    expect(span?.attributes).toEqual({
      'rpc.system.name': 'grpc',
      'rpc.method': 'library.Library/Find',
      'rpc.response.status_code': 'OK',
      'server.address': 'library',
      'rookery.service': 'library',
    });
    const sent = servers.map(({ metadata }) => String(metadata.traceparent)).join(' ');
    expect(sent).toContain(span?.spanContext().spanId ?? 'no span');
    server.failsWith = status.UNAVAILABLE;
    await eventually(async () => {
      await find(library);
      return (await sdk.points('rookery.call.retries')).length > 0;
    });
    for (const each of servers) {
      each.failsWith = status.NOT_FOUND;
      // Of a call that the server itself has made.
      each.details = 'RK_NO_INSTANCES: no usable instance of "shelves"';
    }
    await thrownBy(() => find(library));
    const none = await thrownBy(() => find(clients.create<LibraryService>('nobody', OPTIONS)));
    expect(none.message).toContain('RK_NO_INSTANCES');
    const outcomes = (await sdk.points('rookery.calls')).map(({ attributes }) => attributes);
    const service = { 'rookery.service': 'library' };
    expect(outcomes).toContainEqual({ ...service, 'rookery.call.outcome': 'success' });
    expect(outcomes).toContainEqual({
      ...service,
      'rookery.call.outcome': 'failure',
      'error.type': 'NOT_FOUND',
    });
    expect(outcomes).toContainEqual({
      'rookery.service': 'nobody',
      'rookery.call.outcome': 'rejected',
      'error.type': 'RK_NO_INSTANCES',
    });
    const durations = (await sdk.points('rpc.client.call.duration')).map(({ attributes }) => attributes);
    expect(durations).toContainEqual({
      'error.type': 'NOT_FOUND',
      'rpc.method': 'library.Library/Find',
      'rpc.response.status_code': 'NOT_FOUND',
      'rpc.system.name': 'grpc',
      'server.address': 'library',
    });
  });

  it('of a stock client name a wrong option', () => {
    expect(() => callInterceptor('library', { timeout: 'soon' as never })).toThrow(
      /callInterceptor\('library'\).*timeout/s,
    );
  });
});
