import { once } from 'node:events';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { hostname } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, freePorts, RecordingLogger } from '@rookery/test-support';
import { InMemoryRegistry } from '../../testing/in-memory.registry.js';
import type { ListeningServer } from './app-servers.js';
import { checkReachable, locateInstance, type LocationOptions } from './locate-instance.js';

describe('locateInstance', () => {
  const http = createHttpServer();
  let logger: RecordingLogger;
  let options: LocationOptions;
  const server: ListeningServer = {
    ...{ host: '::', port: 3000, secure: false, http, connections: http, hasGrpcHealth: false },
  };

  beforeEach(() => {
    logger = new RecordingLogger();
    options = {
      registry: new InMemoryRegistry(),
      healthPath: '/health',
      globalPrefix: '/api',
      environment: { address: undefined, zone: 'eu-1a' },
      clock: new FakeClock(),
      logger,
      mesh: undefined,
    };
  });

  it('is at the node of the registry, with the health endpoints and the prefix of the app', async () => {
    expect(await locateInstance({ name: 'a' }, server, options)).toEqual({
      address: undefined,
      checkHost: '127.0.0.1',
      checkIsRemote: false,
      port: 3000,
      secure: false,
      hostName: hostname(),
      healthPath: '/health',
      hasHealthPath: true,
      hasGrpcHealth: false,
      contextPath: '/api',
      zone: 'eu-1a',
      reportTtlMs: undefined,
      inMesh: undefined,
    });
    expect(logger.lines).toEqual([]);
  });

  it('has neither of them without an HTTP server', async () => {
    const microservice = { ...server, http: undefined, hasGrpcHealth: true, secure: true };
    expect(await locateInstance({ name: 'a' }, microservice, options)).toMatchObject({
      ...{ hasHealthPath: false, contextPath: '', hasGrpcHealth: true, secure: true },
    });
  });

  it('takes the address of the options, else that of the environment', async () => {
    const environment = { ...options.environment, address: '10.0.0.7' };
    const addressOf = async (address?: string): Promise<string | undefined> =>
      (await locateInstance({ name: 'a', ...(address && { address }) }, server, { ...options, environment }))
        .address;
    expect([await addressOf('10.0.0.8'), await addressOf()]).toEqual(['10.0.0.8', '10.0.0.7']);
    expect(logger.lines).toEqual([]);
  });

  it.each([
    [server.http, "app.listen(port, '0.0.0.0')"],
    [undefined, "options: { host: '0.0.0.0' } of the microservice"],
  ])('warns of a server that only this host reaches, and says what to change', async (ofHttp, cure) => {
    const bound = { ...server, host: '127.0.0.1', http: ofHttp };
    await locateInstance({ name: 'a' }, bound, options);
    expect(logger.lines).toHaveLength(1);
    expect(logger.lines[0]).toContain('warn "a" listens on 127.0.0.1 only, which no other host can reach.');
    expect(logger.lines[0]).toContain(cure);
    await locateInstance({ name: 'a', address: '10.0.0.7' }, bound, options);
    await locateInstance({ name: 'a' }, { ...bound, host: undefined }, options);
    expect(logger.lines).toHaveLength(1);
  });

  it('takes the interface that routes to a registry on another host', async () => {
    class Elsewhere extends InMemoryRegistry {
      override readonly host = '127.0.0.2' as never;
      override readonly knowsNodeAddress = false as never;
    }
    const found = await locateInstance({ name: 'a' }, server, { ...options, registry: new Elsewhere() });
    expect(found).toMatchObject({ address: '127.0.0.1', checkHost: '127.0.0.1' });
  });

  it('asks a mesh for the port of the checks, for TLS servers', async () => {
    const asked: unknown[] = [];
    const mesh = {
      checkPort: async (host: string | undefined) => {
        asked.push(host);
        return 3001;
      },
    };
    const of = async (changes: Partial<ListeningServer>): Promise<unknown> =>
      (await locateInstance({ name: 'a' }, { ...server, ...changes }, { ...options, mesh })).inMesh;
    expect(await of({})).toBeUndefined();
    expect(await of({ secure: true, http: undefined })).toEqual({ checkPort: undefined });
    expect(asked).toEqual([]);
    expect(await of({ secure: true })).toEqual({ checkPort: 3001 });
    expect(asked).toEqual(['::']);
  });
});

describe('checkReachable', () => {
  const listening = {
    ...{ address: '127.0.0.1', checkHost: '127.0.0.1', checkIsRemote: false, port: 3000, secure: false },
    ...{ hostName: 'host', healthPath: '/health', hasHealthPath: true, contextPath: '', zone: undefined },
  };
  let listener: Server;
  let logger: RecordingLogger;
  let registry: InMemoryRegistry;
  let closedPort: number;

  beforeEach(async () => {
    logger = new RecordingLogger();
    registry = new InMemoryRegistry();
    listener = createServer((socket) => socket.on('error', () => undefined).end());
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    [closedPort = 0] = await freePorts(1);
  });
  afterEach(() => void listener.close());

  const check = (
    { address, port }: { address?: string | undefined; port?: number },
    signal = new AbortController().signal,
  ): Promise<void> => {
    const server: ListeningServer = {
      ...{ host: '127.0.0.1', port: (listener.address() as AddressInfo).port, secure: false },
      ...{ http: listener as HttpServer, connections: listener, hasGrpcHealth: false },
    };
    const service = { name: 'a', ...(port !== undefined && { port }) };
    const instance = { id: 'own', service, listening: { ...listening, address }, server };
    return checkReachable(instance, registry, logger, signal);
  };

  it('warns where the address does not lead to this app, at the port that others are told', async () => {
    await check({ address: '127.0.0.1' });
    expect(logger.lines).toEqual([]);
    await check({ address: '127.0.0.1', port: closedPort });
    expect(logger.lines).toEqual([
      expect.stringMatching(
        new RegExp(`^warn others cannot reach "own": cannot connect to 127.0.0.1, port ${closedPort}`),
      ),
    ]);
  });

  it('asks the registry for an address that this app does not know, and says nothing without one', async () => {
    await check({ port: closedPort });
    expect(logger.lines).toEqual([]);
    registry.put({ service: 'a', id: 'own', port: closedPort, address: '127.0.0.1' });
    await check({ port: closedPort });
    expect(logger.lines).toHaveLength(1);
  });

  it('says nothing once the app is shutting down', async () => {
    await check({ address: '127.0.0.1', port: closedPort }, AbortSignal.abort());
    expect(logger.lines).toEqual([]);
  });
});
