import { once } from 'node:events';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { createServer, Server as NetServer, type AddressInfo } from 'node:net';
import type { AbstractHttpAdapter, HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually, FakeClock, freePorts, settle } from '@rookery/test-support';
import { ReplaySubject, Subject } from 'rxjs';
import { AppServers, type ListeningServer, type RpcTarget } from './app-servers.js';

const { signal } = new AbortController();

describe('AppServers', () => {
  let clock: FakeClock;
  let targets: ReplaySubject<RpcTarget>;
  let listen: Subject<void>;
  const open: NetServer[] = [];

  beforeEach(() => {
    clock = new FakeClock();
    targets = new ReplaySubject();
    listen = new Subject();
  });
  afterEach(() => {
    for (const server of open.splice(0)) server.close();
  });

  const serversOf = (http?: HttpServer, isListening = false): AppServers =>
    new AppServers(
      {
        httpAdapter: http ? { getHttpServer: () => http } : null,
        listening: isListening,
        listen$: listen,
      } as unknown as HttpAdapterHost<AbstractHttpAdapter<HttpServer>>,
      { getRpcTargetRegistry: () => targets } as unknown as ModulesContainer,
      clock,
    );
  const bound = async <S extends NetServer>(server: S): Promise<S> => {
    open.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return server;
  };
  const portOf = (server: NetServer): number => (server.address() as AddressInfo).port;
  const tcp = (server: unknown = new NetServer()): RpcTarget => ({
    ...{ transportId: 0, unwrap: () => server, close: () => undefined },
  });
  const grpc = (url?: string): RpcTarget => ({
    ...{ transportId: 4, close: () => undefined, ...(url !== undefined && { url }) },
  });

  it('knows the HTTP adapter and the microservices, before and after', () => {
    const http = createHttpServer();
    const [early, late] = [tcp(), grpc()];
    targets.next(early);
    const servers = serversOf(http);
    targets.next(late);
    expect(servers.adapter?.getHttpServer()).toBe(http);
    expect(servers.microservices).toEqual([early, late]);
    expect(serversOf().adapter).toBeUndefined();
  });

  it('does without the registry of microservices, which Nest has since 11.1', () => {
    const host = { httpAdapter: null } as unknown as HttpAdapterHost<AbstractHttpAdapter<HttpServer>>;
    const servers = new AppServers(host, {} as unknown as ModulesContainer, clock);
    expect(servers.microservices).toEqual([]);
  });

  it('prepares each microservice for each support once, in whichever order they come', () => {
    const prepared: unknown[] = [];
    const supportOf = (name: string) => ({
      prepare: (target: RpcTarget) => void prepared.push([name, target.transportId]),
      hasGrpcHealth: () => false,
    });
    targets.next(tcp());
    const servers = serversOf();
    servers.addSupport(supportOf('a'));
    targets.next(grpc());
    servers.addSupport(supportOf('b'));
    expect(prepared).toEqual([
      ['a', 0],
      ['a', 4],
      ['b', 0],
      ['b', 4],
    ]);
  });

  it('says which server is missing', () => {
    const none = serversOf();
    expect(none.missingServer({ name: 'a' })).toBe(
      'this app has no HTTP server, and no microservice with transport TCP or gRPC',
    );
    expect(none.missingServer({ name: 'a', transport: 'http' })).toBe('this app has no HTTP server');
    expect(none.missingServer({ name: 'a', transport: 'tcp' })).toBe(
      'this app has no microservice with transport TCP',
    );
    expect(none.missingServer({ name: 'a', transport: 'grpc' })).toBe(
      'this app has no microservice with transport GRPC',
    );
    const http = serversOf(createHttpServer());
    expect(http.missingServer({ name: 'a' })).toBeUndefined();
    expect(http.missingServer({ name: 'a', transport: 'http' })).toBeUndefined();
    expect(http.missingServer({ name: 'a', transport: 'tcp' })).toContain('TCP');
    targets.next(tcp());
    expect(none.missingServer({ name: 'a' })).toBeUndefined();
    expect(none.missingServer({ name: 'a', transport: 'tcp' })).toBeUndefined();
    expect(none.missingServer({ name: 'a', transport: 'grpc' })).toContain('GRPC');
    expect(none.missingServer({ name: 'a', transport: 'http' })).toContain('no HTTP server');
  });

  it('has the HTTP server for what names no transport', () => {
    const http = createHttpServer();
    const servers = serversOf(http);
    expect(servers.httpServer({ name: 'a' })).toBe(http);
    expect(servers.httpServer({ name: 'a', transport: 'http' })).toBe(http);
    expect(servers.httpServer({ name: 'a', transport: 'tcp' })).toBeUndefined();
    expect(serversOf().httpServer({ name: 'a' })).toBeUndefined();
  });

  const isSettled = async (promise: Promise<unknown>): Promise<boolean> => {
    let isDone = false;
    promise.finally(() => (isDone = true)).catch(() => undefined);
    await settle();
    return isDone;
  };

  it('waits until the HTTP server listens', async () => {
    const http = createHttpServer();
    const listening = serversOf(http).untilListening({ name: 'a' }, signal);
    expect(await isSettled(listening)).toBe(false);
    await bound(http);
    listen.next();
    expect(await listening).toEqual({
      ...{ host: '127.0.0.1', port: portOf(http), secure: false, http, connections: http },
      hasGrpcHealth: false,
    } satisfies ListeningServer);
  });

  it('does not wait for the event of a server that listens already', async () => {
    const http = await bound(createHttpServer());
    listen.complete();
    const early = await serversOf(http).untilListening({ name: 'a' }, signal);
    const late = await serversOf(http, true).untilListening({ name: 'a' }, signal);
    expect([early?.port, late?.port]).toEqual([portOf(http), portOf(http)]);
  });

  it('knows no port of a server on a Unix domain socket', async () => {
    const server = { address: () => '/run/app.sock' } as unknown as HttpServer;
    expect(await serversOf(server, true).untilListening({ name: 'a' }, signal)).toBeUndefined();
    const closed = { address: () => null } as unknown as HttpServer;
    expect(await serversOf(closed, true).untilListening({ name: 'a' }, signal)).toBeUndefined();
  });

  it('stops waiting when the app shuts down', async () => {
    const aborting = new AbortController();
    const listening = serversOf(createHttpServer()).untilListening({ name: 'a' }, aborting.signal);
    aborting.abort(new Error('the app is shutting down'));
    await expect(listening).rejects.toThrow('the app is shutting down');
  });

  it('waits until a TCP microservice listens', async () => {
    const server = createServer();
    targets.next(tcp(server));
    const servers = serversOf();
    const listening = servers.untilListening({ name: 'a' }, signal);
    expect(await isSettled(listening)).toBe(false);
    await bound(server);
    const expected = {
      ...{ host: '127.0.0.1', port: portOf(server), secure: false, http: undefined, connections: server },
      hasGrpcHealth: false,
    };
    expect(await listening).toEqual(expected);
    expect(await servers.untilListening({ name: 'a', transport: 'tcp' }, signal)).toEqual(expected);
    expect(await servers.untilListening({ name: 'a', transport: 'grpc' }, signal)).toBeUndefined();
  });

  it('knows no port of a TCP microservice with a hidden server, or with one on a Unix domain socket', async () => {
    targets.next(tcp(null));
    expect(await serversOf().untilListening({ name: 'a' }, signal)).toBeUndefined();
    targets = new ReplaySubject();
    const server = createServer();
    server.address = () => '/run/app.sock';
    targets.next(tcp(await bound(server)));
    expect(await serversOf().untilListening({ name: 'a' }, signal)).toBeUndefined();
  });

  it('waits until a gRPC server accepts connections at its URL', async () => {
    const [port = 0] = await freePorts(1);
    targets.next(grpc(`127.0.0.1:${port}`));
    const servers = serversOf();
    servers.addSupport({ prepare: () => undefined, hasGrpcHealth: ({ url }) => url === `127.0.0.1:${port}` });
    const listening = servers.untilListening({ name: 'a' }, signal);
    await eventually(() => clock.next === 100);
    const server = createServer((socket) => socket.on('error', () => undefined).destroy());
    open.push(server);
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    await clock.advance(100);
    expect(await listening).toEqual({
      ...{ host: '127.0.0.1', port, secure: false, http: undefined, connections: undefined },
      hasGrpcHealth: true,
    });
  });

  it.each(['0.0.0.0', '[::]', ''])(
    'asks on this host for a gRPC server that is bound to %j',
    async (host) => {
      const server = await bound(createServer((socket) => socket.on('error', () => undefined).destroy()));
      targets.next(grpc(`${host}:${portOf(server)}`));
      expect(await serversOf().untilListening({ name: 'a' }, signal)).toMatchObject({
        host: host.replace(/[[\]]/g, ''),
        port: portOf(server),
        hasGrpcHealth: false,
      });
    },
  );

  it('takes the port of the options for a gRPC server without one in its URL', async () => {
    const server = await bound(createServer((socket) => socket.on('error', () => undefined).destroy()));
    targets.next(grpc());
    const servers = serversOf();
    const port = portOf(server);
    expect(await servers.untilListening({ name: 'a', port }, signal)).toMatchObject({ host: '', port });
    expect(await servers.untilListening({ name: 'a' }, signal)).toBeUndefined();
  });

  it('takes no microservice of another transport', async () => {
    targets.next({ transportId: 1, close: () => undefined });
    expect(serversOf().missingServer({ name: 'a' })).toContain('no microservice');
    expect(await serversOf().untilListening({ name: 'a' }, signal)).toBeUndefined();
  });
});
