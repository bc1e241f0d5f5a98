import { Readable } from 'node:stream';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { HttpService } from '@nestjs/axios';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type AttemptRecord,
  type ClientsOptions,
  ConsulModule,
  DiscoveryEvents,
  DiscoveryService,
  ServiceClientFactory,
  type TimedDiscoveryEvent,
} from '@rookery/consul';
import { eventually, freePorts, figure, startTestConsul, type TestConsul } from '@rookery/test-support';
import { catchError, firstValueFrom, of, timeout } from 'rxjs';
import { rootModule } from '../e2e/test-app.js';
import { BROKEN, RawServer, TLS_ALERTS } from './raw-server.js';
import { putInstance } from './watching-app.js';

interface Caller {
  readonly service: string;
  readonly http: HttpService;
  readonly discovery: DiscoveryService;
  readonly events: readonly TimedDiscoveryEvent[];
  readonly badId: string;
}

/** Both transports: what axios's own one carries is decided by the request. */
const TRANSPORTS = { undici: {}, axios: { te: 'trailers' } } as const;

describe('one bad instance of three', () => {
  let consul: TestConsul;
  const cleanUps: (() => Promise<unknown>)[] = [];
  let services = 0;

  beforeAll(async () => {
    consul = await startTestConsul();
  });
  afterAll(() => consul.stop());
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  const startHttp = async (status: number): Promise<number> => {
    const server: Server = createServer((request, response) => {
      request.resume();
      response.writeHead(status, { 'content-type': 'application/json' }).end('{"ok":true}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanUps.push(async () => {
      server.closeAllConnections();
      server.close();
    });
    return (server.address() as AddressInfo).port;
  };

  const startRaw = async (onConnection: (socket: Socket) => void): Promise<number> => {
    const server = await RawServer.start(onConnection);
    cleanUps.push(() => server.stop());
    return server.port;
  };

  /** An app that calls two healthy instances and the bad one. */
  const startCaller = async (
    badPort: number,
    { clients = {}, meta = {} }: { clients?: ClientsOptions; meta?: Record<string, string> } = {},
  ): Promise<Caller> => {
    const service = `service-${services++}`;
    const badId = `${service}-bad`;
    await putInstance(consul, service, badId, badPort, { Meta: meta });
    for (const n of [1, 2]) await putInstance(consul, service, `${service}-${n}`, await startHttp(200));
    const app: INestApplicationContext = await NestFactory.createApplicationContext(
      rootModule([ConsulModule.forRoot({ agent: { url: consul.url }, clients })]),
      { logger: false },
    );
    cleanUps.push(() => app.close());
    const events: TimedDiscoveryEvent[] = [];
    app.get(DiscoveryEvents).events$.subscribe((event) => events.push(event));
    const discovery = app.get(DiscoveryService);
    await eventually(async () => (await discovery.getInstances(service)).length === 3);
    return { service, http: app.get(ServiceClientFactory).create(service), discovery, events, badId };
  };

  interface Tried {
    readonly failedGets: number;
    readonly failedPosts: number;
    readonly attempts: readonly AttemptRecord[];
  }
  const callMixed = async (
    { http }: Caller,
    count: number,
    headers: Record<string, string> = {},
  ): Promise<Tried> => {
    const failed = { get: 0, post: 0 };
    const attempts: AttemptRecord[] = [];
    for (let n = 0; n < count; n++) {
      const method = n % 3 === 0 ? 'post' : 'get';
      try {
        const { call } = await http.axiosRef.request({ method, url: '/work', headers });
        attempts.push(...(call?.attempts ?? []));
      } catch (error) {
        failed[method]++;
        attempts.push(...((error as { call?: { attempts: AttemptRecord[] } }).call?.attempts ?? []));
      }
    }
    return { failedGets: failed.get, failedPosts: failed.post, attempts };
  };
  const shareOf = (id: string, attempts: readonly AttemptRecord[]): number =>
    attempts.filter(({ instance }) => instance === id).length / attempts.length;
  const ejections = ({ events, badId }: Caller): number =>
    events.filter((event) => event.type === 'instance.ejected' && event.id === badId).length;

  it('F57 a stream whose first instance refuses goes to the next one, since nothing of it was read', async () => {
    const [dead = 0] = await freePorts(1);
    const { http, badId } = await startCaller(dead, {
      clients: { strategy: 'round-robin', outlierDetection: false },
    });
    let refused = 0;
    for (let n = 0; n < 6; n++) {
      const { status, call } = await http.axiosRef.post('/work', Readable.from([Buffer.from('abc')]));
      expect(status).toBe(200);
      if (call?.attempts[0]?.instance === badId) refused++;
    }
    expect(refused).toBeGreaterThan(0);
  });

  describe.each(Object.entries(TRANSPORTS))('over %s', (transport, headers) => {
    it.each(Object.entries(BROKEN))(
      `F43 %s: no GET fails, and it is ejected after five attempts`,
      async (what, onConnection) => {
        const caller = await startCaller(await startRaw(onConnection), {
          clients: { strategy: 'round-robin' },
        });
        const { failedGets, failedPosts, attempts } = await callMixed(caller, 60, headers);
        figure(
          'F43',
          `${what} over ${transport}: ${failedGets} of 40 GETs and ${failedPosts} of 20 POSTs failed, ${attempts.filter(({ instance }) => instance === caller.badId).length} attempts at it`,
        );
        expect(failedGets).toBe(0);
        expect(failedPosts).toBeLessThanOrEqual(5);
        expect(ejections(caller)).toBe(1);
        expect(attempts.filter(({ instance }) => instance === caller.badId).length).toBeLessThanOrEqual(5);
      },
    );

    it.each(Object.entries(TLS_ALERTS))(
      'F43 TLS is refused with %s: nothing was sent, so no POST fails either',
      async (_, onConnection) => {
        const caller = await startCaller(await startRaw(onConnection), {
          clients: { strategy: 'round-robin' },
          meta: { secure: 'true' },
        });
        const { failedGets, failedPosts } = await callMixed(caller, 40, headers);
        expect([failedGets, failedPosts]).toEqual([0, 0]);
        expect(ejections(caller)).toBe(1);
      },
    );

    it('F43 attracts no calls with the default strategy', async () => {
      const caller = await startCaller(await startRaw(BROKEN['an SSH greeting'] ?? (() => undefined)));
      const { failedGets, attempts } = await callMixed(caller, 300, headers);
      expect(failedGets).toBe(0);
      expect(shareOf(caller.badId, attempts)).toBeLessThanOrEqual(0.02);
    });

    it('F53 it answers 500 at once: it gets no more than its share', async () => {
      const caller = await startCaller(await startHttp(500));
      const { attempts } = await callMixed(caller, 300, headers);
      const share = shareOf(caller.badId, attempts);
      figure('F53', `500 at once over ${transport}: ${(share * 100).toFixed(1)} % of the attempts`);
      expect(share).toBeLessThanOrEqual(1 / 3);
      expect(ejections(caller)).toBe(0);
    });

    it.each(['an AbortSignal', 'RxJS timeout()'])(
      'F44 it hangs, and callers give up with %s: it gets few calls after ten attempts at it',
      async (how) => {
        const caller = await startCaller(await startRaw((socket) => socket.resume()));
        const reached: string[] = [];
        const { axiosRef } = caller.http;
        const known = new Set<string>();
        axiosRef.interceptors.response.use((response) => {
          for (const { instance } of response.call?.attempts ?? []) known.add(instance);
          return response;
        });
        let abandoned = 0;
        for (let n = 0; n < 200; n++) {
          const isAnswered =
            how === 'an AbortSignal'
              ? await axiosRef.get('/work', { headers, signal: AbortSignal.timeout(250) }).then(
                  () => true,
                  () => false,
                )
              : await firstValueFrom(
                  caller.http.get('/work', { headers }).pipe(
                    timeout(250),
                    catchError(() => of(undefined)),
                  ),
                ).then((response) => response !== undefined);
          reached.push(isAnswered ? 'other' : 'bad');
          if (!isAnswered) abandoned++;
        }
        figure('F44', `it hangs, ${how} over ${transport}: ${abandoned} of 200 calls abandoned`);
        const tenth = reached.flatMap((where, n) => (where === 'bad' ? [n] : []))[9] ?? -1;
        const after = tenth < 0 ? [] : reached.slice(tenth + 1);
        expect(after.filter((where) => where === 'bad').length).toBeLessThanOrEqual(after.length * 0.05);
        expect(abandoned).toBeLessThanOrEqual(20);
      },
    );
  });

  it('F43 gRPC statuses count without isFailure', async () => {
    const caller = await startCaller(1, { clients: { strategy: 'round-robin' } });
    let failed = 0;
    for (let n = 0; n < 60; n++)
      await caller.discovery
        .call(
          caller.service,
          async ({ id }) => {
            if (id !== caller.badId) return 'ok';
            throw Object.assign(new Error('14 UNAVAILABLE: Connection dropped'), {
              code: 14,
              details: 'Connection dropped',
            });
          },
          { idempotent: true },
        )
        .catch(() => failed++);
    expect(failed).toBe(0);
    expect(ejections(caller)).toBe(1);
  });
});

describe('most instances die in one moment', () => {
  it.each([
    [22, 24],
    [58, 60],
  ])('F54 %i of %i: no call fails', async (dead, all) => {
    const consul = await startTestConsul();
    const servers = await Promise.all(
      Array.from({ length: all }, async () => {
        const server = createServer((_, response) => response.end('ok'));
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
        return server;
      }),
    );
    const service = 'dying';
    await Promise.all(
      servers.map((server, n) =>
        putInstance(consul, service, `d${n}`, (server.address() as AddressInfo).port),
      ),
    );
    const app = await NestFactory.createApplicationContext(
      rootModule([ConsulModule.forRoot({ agent: { url: consul.url } })]),
      { logger: false },
    );
    const discovery = app.get(DiscoveryService);
    await eventually(async () => (await discovery.getInstances(service)).length === all);
    const { axiosRef } = app.get(ServiceClientFactory).create(service);
    await Promise.all(Array.from({ length: 4 * all }, () => axiosRef.get('/')));
    for (const server of servers.slice(0, dead)) {
      server.closeAllConnections();
      server.close();
    }
    let failedGets = 0;
    let failedPosts = 0;
    for (let n = 0; n < 200; n++) {
      await axiosRef.get('/').catch(() => failedGets++);
      await axiosRef.post('/').catch(() => failedPosts++);
    }
    figure('F54', `${dead} of ${all} died: ${failedGets} of 200 GETs and ${failedPosts} of 200 POSTs failed`);
    expect(failedGets).toBe(0);
    // A POST on a connection that was open may have been read.
    expect(failedPosts).toBeLessThanOrEqual(dead);
    await app.close();
    for (const server of servers.slice(dead)) {
      server.closeAllConnections();
      server.close();
    }
    await consul.stop();
  });
});
