import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { HttpService } from '@nestjs/axios';
import {
  Body,
  Controller,
  Get,
  Headers,
  Injectable,
  Param,
  Post,
  UseGuards,
  type CanActivate,
  type DynamicModule,
} from '@nestjs/common';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  CallError,
  ConsulModule,
  type ConsulModuleOptions,
  DiscoveryService,
  LoadBalancer,
  ServiceClient,
  ServiceClientFactory,
  type Target,
} from '@rookery/consul';
import { startTestConsul, eventually, type TestConsul } from '@rookery/test-support';
import type { AxiosError } from 'axios';
import { FullServer } from './full-server.js';
import { PLATFORMS, rootModule, startApp, type Platform, type TestApp } from './test-app.js';

const posted: unknown[] = [];

/** Takes 300 ms. */
@Injectable()
class SlowGuard implements CanActivate {
  async canActivate(): Promise<boolean> {
    await sleep(300);
    return true;
  }
}

@Controller()
class WorkController {
  constructor(
    private readonly discovery: DiscoveryService,
    @ServiceClient('behind') private readonly behind: HttpService,
  ) {}

  @Get('work')
  work() {
    return { ok: true };
  }

  /** The headers that the app sees. */
  @Get('headers')
  headers(@Headers() headers: Record<string, string>) {
    return headers;
  }

  @Post('work')
  post(@Body() body: unknown) {
    posted.push(body);
    return { ok: true };
  }

  @Get('guarded')
  @UseGuards(SlowGuard)
  guarded() {
    posted.push('guarded');
    return {};
  }

  /** Calls another service, which never answers, and returns how long it waited. */
  @Post('chain/:ms')
  async chain(@Param('ms') ms: string) {
    await sleep(Number(ms));
    const begun = performance.now();
    const error = (await this.behind.axiosRef.get('/').catch((thrown: unknown) => thrown)) as AxiosError;
    return { waited: performance.now() - begun, code: error.code };
  }
}

describe.each(PLATFORMS)('an app that is called, on %s', (platform: Platform) => {
  let consul: TestConsul;
  const apps: TestApp[] = [];
  const silent: Server = createServer(() => undefined);
  const start = async (options: ConsulModuleOptions): Promise<TestApp> => {
    const module: DynamicModule = rootModule(
      [ConsulModule.forRoot({ agent: { url: consul.url }, ...options })],
      { controllers: [WorkController] },
    );
    const app = await startApp(module, { platform });
    apps.push(app);
    return app;
  };
  let callee: TestApp;
  const call = (path: string, headers: Record<string, string>, init: RequestInit = {}): Promise<Response> =>
    fetch(callee.url + path, { ...init, headers: { ...headers, ...(init.headers as object) } });

  beforeAll(async () => {
    consul = await startTestConsul();
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as AddressInfo;
    await consul.request('PUT', '/v1/agent/service/register', { ID: 'behind', Name: 'behind', Port: port });
    callee = await start({ service: { name: 'callee' } });
  });
  afterAll(async () => {
    await Promise.all(apps.splice(0).map(({ app }) => app.close()));
    silent.closeAllConnections();
    silent.close();
    await consul.stop();
  });
  afterEach(() => {
    posted.length = 0;
  });

  it('F37 answers 421 to a request for another service before anything is done, and accepts one that names none', async () => {
    const stale = { 'rookery-service': 'other', 'rookery-address': `127.0.0.1:${callee.port}` };
    const wrong = await call(
      '/work',
      { ...stale, 'content-type': 'application/json' },
      { method: 'POST', body: '{"a":1}' },
    );
    expect([wrong.status, wrong.headers.get('rookery-service')]).toEqual([421, 'callee']);
    expect(await wrong.json()).toEqual({ statusCode: 421, message: 'This is callee, not other' });
    expect(posted).toEqual([]);
    expect((await call('/work', { 'rookery-service': 'callee' })).status).toBe(200);
    expect((await call('/work', {})).status).toBe(200);
    const handedOn = (await (
      await call('/headers', { 'rookery-service': 'callee', 'rookery-address': 'proxy:80', 'x-own': '1' })
    ).json()) as object;
    expect(handedOn).toMatchObject({ 'x-own': '1' });
    expect(handedOn).not.toHaveProperty('rookery-service');
    expect(handedOn).not.toHaveProperty('rookery-address');
    expect((await call('/health', stale)).status).toBe(421);
    expect((await call('/health', {})).status).toBe(200);
  });

  it('refuses a request past its deadline, and ignores a malformed header', async () => {
    const late = await call('/guarded', { 'rookery-timeout': '100' });
    expect(late.status).toBe(504);
    expect(posted).toEqual([]);
    expect((await call('/guarded', { 'rookery-timeout': '5000' })).status).toBe(200);
    for (const value of ['soon', '-1', '1e3', '99999999999'])
      expect((await call('/work', { 'rookery-timeout': value })).status).toBe(200);
    expect((await call('/work', { 'rookery-timeout': '0' })).status).toBe(504);
  });

  it('propagates the deadline to its own calls, also after the body of a POST was read', async () => {
    const answer = await call(
      '/chain/100',
      { 'rookery-timeout': '2000', 'content-type': 'application/json' },
      { method: 'POST', body: JSON.stringify({ long: 'x'.repeat(50_000) }) },
    );
    const { waited, code } = (await answer.json()) as { waited: number; code: string };
    expect(code).toBe('ECONNABORTED');
    // Without the header it would be 5 s.
    expect(waited).toBeLessThan(3_000);
    expect(waited).toBeGreaterThan(300);
  });

  it('F37 an instance whose address belongs to another service now is ejected', async () => {
    const other = await start({ service: { name: 'other' } });
    const caller = await start({});
    const client = caller.app.get(ServiceClientFactory).create('callee', { strategy: 'round-robin' });
    // As the registry lists it for a while after another app took over this address.
    await consul.request('PUT', '/v1/agent/service/register', {
      ID: 'callee-gone',
      Name: 'callee',
      Port: other.port,
      Meta: { 'rookery-ready': '/health/ready' },
    });
    await start({ service: { name: 'callee' } });
    const discovery = caller.app.get(DiscoveryService);
    await eventually(async () => (await discovery.getInstances('callee')).length === 3);
    let retried = 0;
    for (let n = 0; n < 12; n++) {
      const { status, call: report } = await client.axiosRef.post('/work', { n });
      expect(status).toBe(201);
      retried += (report?.attempts.length ?? 0) - 1;
    }
    expect(retried).toBe(1);
    expect(posted.map((body) => (body as { n: number }).n)).toEqual(Array.from({ length: 12 }, (_, n) => n));
    const { instances } = await discovery.explain('callee');
    expect(instances.find(({ id }) => id === 'callee-gone')).toMatchObject({
      state: 'ejected',
      reason: expect.stringMatching(
        /^address now serves another service \(421\); no calls for \d+ s more$/,
      ) as unknown,
      calls: { successRate: expect.any(Number) as unknown },
    });
    await consul.request('PUT', '/v1/agent/service/deregister/callee-gone');
  });
});

describe('a client over HTTP', () => {
  let consul: TestConsul;
  let caller: TestApp;
  const servers: Server[] = [];
  const fullServers: FullServer[] = [];
  /** An HTTP server with the given responses. */
  const listen = async (
    answer: (n: number) => { status: number; headers?: Record<string, string>; ms?: number },
  ): Promise<{ port: number; seen: string[]; connections: () => number }> => {
    const seen: string[] = [];
    let open = 0;
    const server = createServer((request, response) => {
      const { status, headers = {}, ms = 0 } = answer(seen.length);
      seen.push(`${request.method} ${request.url}`);
      request.resume();
      const answered = setTimeout(
        () => response.writeHead(status, headers).end(JSON.stringify({ status })),
        ms,
      );
      response.once('close', () => clearTimeout(answered));
    });
    server.on('connection', (socket) => {
      open++;
      socket.on('close', () => open--);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    servers.push(server);
    return { port: (server.address() as AddressInfo).port, seen, connections: () => open };
  };
  const register = async (name: string, ...ports: number[]): Promise<void> => {
    for (const port of ports)
      await consul.request('PUT', '/v1/agent/service/register', {
        ID: `${name}-${port}`,
        Name: name,
        Port: port,
      });
    const discovery = caller.app.get(DiscoveryService);
    await eventually(async () => (await discovery.getInstances(name)).length === ports.length);
  };
  const client = (name: string, options = {}): HttpService =>
    caller.app.get(ServiceClientFactory).create(name, options);
  const failure = (call: Promise<unknown>): Promise<AxiosError> =>
    call.then(
      () => Promise.reject(new Error('it should have failed')),
      (error: unknown) => error as AxiosError,
    );

  beforeAll(async () => {
    consul = await startTestConsul();
    const clients = {
      strategy: 'round-robin',
      services: {
        guarded: { circuitBreaker: { minimumCalls: 4, openFor: '1m' } },
        shaky: { outlierDetection: false },
        narrow: { bulkhead: { concurrency: 1 } },
      },
    } as const;
    caller = await startApp(rootModule([ConsulModule.forRoot({ agent: { url: consul.url }, clients })]));
  });
  afterAll(async () => {
    await caller.app.close();
    for (const server of fullServers) server.stop();
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
    await consul.stop();
  });

  it('retries a GET elsewhere after 502, 503, 504 and 429, and never a POST', async () => {
    let status = 503;
    const [bad, good] = [await listen(() => ({ status })), await listen(() => ({ status: 200 }))];
    await register('shaky', bad.port, good.port);
    const { axiosRef } = client('shaky');
    for (status of [502, 503, 504, 429]) {
      const before = bad.seen.length;
      for (let n = 0; n < 2; n++) {
        const { data, call } = await axiosRef.get<{ status: number }>('/');
        expect(data.status).toBe(200);
        expect(call?.attempts.at(-1)?.reason).toBeUndefined();
      }
      expect(bad.seen.length).toBeGreaterThan(before);
    }
    status = 503;
    const refused: number[] = [];
    for (let n = 0; n < 4; n++) {
      const error = await client('shaky')
        .axiosRef.post('/', {})
        .catch((thrown: unknown) => thrown as AxiosError);
      if ('isAxiosError' in error) refused.push(error.call?.attempts.length ?? 0);
    }
    expect(refused.length).toBeGreaterThan(0);
    expect(new Set(refused)).toEqual(new Set([1]));
    const repeated = await client('shaky').axiosRef.post('/', {}, { call: { idempotent: true } });
    expect(repeated.status).toBe(200);
  });

  it('hedges, and cancels the loser', async () => {
    const [slow, quick] = [
      // Longer than the test: only an abort ends its connections.
      await listen(() => ({ status: 200, ms: 60_000 })),
      await listen(() => ({ status: 200 })),
    ];
    await register('hedged', slow.port, quick.port);
    const { axiosRef } = client('hedged', { hedge: { delay: '50ms', budget: 1 } });
    for (let n = 0; n < 4; n++) expect((await axiosRef.get('/')).status).toBe(200);
    expect(slow.seen.length).toBeGreaterThan(0);
    await eventually(() => slow.connections() === 0);
  });

  it('gives up a connection that is not made, and sends the request to another instance', async () => {
    const [full, free] = [await FullServer.start(), await listen(() => ({ status: 200 }))];
    fullServers.push(full);
    await register('unconnectable', full.port, free.port);
    // An attempt that waited for its connection would have no time left for another one.
    const timeout = 8_000;
    const { axiosRef } = client('unconnectable', { timeout, attemptTimeout: timeout });
    const answers = await Promise.all([axiosRef.post('/', {}), axiosRef.post('/', {})]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(answers.map(({ call }) => call?.attempts.length).sort()).toEqual([1, 2]);
    expect(free.seen).toEqual(['POST /', 'POST /']);
  });

  it('falls back for a service that fails or is not there, and not for a response such as 404', async () => {
    const [down, missing] = [await listen(() => ({ status: 503 })), await listen(() => ({ status: 404 }))];
    await register('down', down.port);
    await register('missing', missing.port);
    const call = {
      fallback: (error: AxiosError) => ({
        instead: error.call?.attempts.length ?? error.code,
        status: error.response?.status,
      }),
    };
    expect(await client('down').axiosRef.get('/', { call })).toMatchObject({
      status: 200,
      statusText: 'fallback',
      data: { instead: 2, status: 503 },
    });
    expect((await client('absent').axiosRef.get('/', { call })).data).toMatchObject({
      instead: 'RK_NO_INSTANCES',
    });
    expect((await failure(client('missing').axiosRef.get('/', { call }))).response?.status).toBe(404);
  });

  it('refuses calls while the circuit is open or the bulkhead is full', async () => {
    const [bad, slow] = [
      await listen(() => ({ status: 503 })),
      await listen(() => ({ status: 200, ms: 300 })),
    ];
    await register('guarded', bad.port);
    await register('narrow', slow.port);
    for (let n = 0; n < 4; n++) await failure(client('guarded').axiosRef.post('/'));
    const open = await failure(client('guarded').axiosRef.post('/'));
    expect(open.code).toBe('RK_CIRCUIT_OPEN');
    expect(open.cause).toBeInstanceOf(CallError);
    expect(bad.seen).toHaveLength(4);
    const [first, second] = await Promise.allSettled([0, 1].map(() => client('narrow').axiosRef.get('/')));
    expect([first?.status, second?.status]).toEqual(['fulfilled', 'rejected']);
    expect(second).toMatchObject({ reason: { code: 'RK_OVERLOADED' } });
  });

  it('closes the connections to an instance that leaves, after outstanding requests were answered', async () => {
    const [leaving, staying] = [
      await listen(() => ({ status: 200, ms: 500 })),
      await listen(() => ({ status: 200 })),
    ];
    await register('leaving', leaving.port, staying.port);
    const { axiosRef } = client('leaving');
    const calls = Array.from({ length: 8 }, () => axiosRef.get('/'));
    await eventually(() => leaving.connections() > 0);
    await consul.request('PUT', `/v1/agent/service/deregister/leaving-${leaving.port}`);
    await eventually(
      async () => (await caller.app.get(DiscoveryService).getInstances('leaving')).length === 1,
    );
    expect((await axiosRef.get('/')).status).toBe(200);
    for (const { status } of await Promise.all(calls)) expect(status).toBe(200);
    // Long before the idle timeout of either side.
    await eventually(() => leaving.connections() === 0, { within: 2_000 });
  });

  it('closes the connections to an instance that is ejected', async () => {
    const [bad, good] = [await listen(() => ({ status: 503 })), await listen(() => ({ status: 200 }))];
    await register('ejecting', bad.port, good.port);
    const { axiosRef } = client('ejecting');
    let mostOpen = 0;
    await eventually(async () => {
      expect((await axiosRef.get('/')).status).toBe(200);
      mostOpen = Math.max(mostOpen, bad.connections());
      return bad.seen.length >= 5;
    });
    expect(mostOpen).toBeGreaterThan(0);
    // Long before the idle timeout of either side.
    await eventually(() => bad.connections() === 0, { within: 2_000 });
    const { instances } = await caller.app.get(DiscoveryService).explain('ejecting');
    expect(instances.find(({ id }) => id === `ejecting-${bad.port}`)?.state).toBe('ejected');
    for (let n = 0; n < 10; n++) await axiosRef.get('/');
    expect(bad.seen).toHaveLength(5);
  });

  it('takes a custom strategy by its class', async () => {
    class AlwaysLast extends LoadBalancer {
      override pick(targets: readonly Target[]): Target | undefined {
        return targets.at(-1);
      }
    }
    const [one, two] = [await listen(() => ({ status: 200 })), await listen(() => ({ status: 200 }))];
    await register('own', one.port, two.port);
    for (let n = 0; n < 5; n++) await client('own', { strategy: AlwaysLast }).axiosRef.get('/');
    expect([one.seen.length, two.seen.length].sort()).toEqual([0, 5]);
  });
});
