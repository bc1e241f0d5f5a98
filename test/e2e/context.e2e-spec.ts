import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createServer, get as nodeGet, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { HttpService } from '@nestjs/axios';
import { Body, Controller, Get, Post, Query, StreamableFile } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  discoveryDispatcher,
  DiscoveryService,
  ServiceClient,
  type ContextOptions,
} from '@rookery/discovery';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';
import { eventually } from '@rookery/test-support';
import { firstValueFrom } from 'rxjs';
import { fetch } from 'undici';
import { PLATFORMS, rootModule, startApp } from './test-app.js';

const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const INCOMING = {
  traceparent: TRACE,
  tracestate: 'congo=t61rcWkgMzE',
  baggage: 'userId=alice',
  'x-request-id': 'req-7',
  'x-tenant': 'acme',
  'x-secret': 'stays',
};

let entered = 0;
let finished = 0;

@Controller()
class Gateway {
  constructor(
    @ServiceClient('peer') private readonly peer: HttpService,
    @ServiceClient('peer', { hedge: { delay: '20ms', budget: 1 } }) private readonly hedging: HttpService,
    private readonly discovery: DiscoveryService,
  ) {}

  @Get('lean')
  async lean() {
    return (await this.peer.axiosRef.get<object>('/echo')).data;
  }

  @Get('core')
  async core() {
    return (await this.peer.axiosRef.get<object>('/echo', { insecureHTTPParser: false })).data;
  }

  @Get('observable')
  async observable() {
    return (await firstValueFrom(this.peer.get<object>('/echo'))).data;
  }

  @Get('own')
  async own() {
    const headers = { 'X-Request-Id': 'own', Traceparent: 'own' };
    const lean = await this.peer.axiosRef.get<object>('/echo', { headers });
    const core = await this.peer.axiosRef.get<object>('/echo', { headers, insecureHTTPParser: false });
    return [lean.data, core.data];
  }

  @Get('twice')
  async twice() {
    const first = await this.peer.axiosRef.get<object>('/echo');
    await new Promise((resolve) => setTimeout(resolve, 5));
    return [first.data, (await this.peer.axiosRef.get<object>('/echo')).data];
  }

  @Get('hedged')
  async hedged() {
    return (await this.hedging.axiosRef.get<object>('/slow-once')).data;
  }

  @Get('fetch')
  async fetch() {
    const dispatcher = discoveryDispatcher(this.discovery);
    return (await fetch('http://peer.service/echo', { dispatcher })).json();
  }

  @Get('any')
  async any() {
    return this.discovery.call('peer', async ({ address, port }, signal, { headers }) =>
      (await fetch(`http://${address}:${port}/echo`, { signal, headers })).json(),
    );
  }

  @Post('posted')
  async posted(@Body() _: object) {
    return (await this.peer.axiosRef.get<object>('/echo')).data;
  }

  @Get('waits')
  async waits(@Query('by') by: string) {
    if (by === 'fetch') return this.waitsByFetch();
    if (by === 'any')
      return this.discovery.call('peer', ({ address, port }, signal) =>
        fetch(`http://${address}:${port}/silent`, { signal }),
      );
    return (
      await this.peer.axiosRef.get<object>('/silent', by === 'core' ? { insecureHTTPParser: false } : {})
    ).data;
  }

  async waitsByFetch() {
    const dispatcher = discoveryDispatcher(this.discovery);
    return (await fetch('http://peer.service/silent', { dispatcher })).json();
  }

  @Get('late')
  async late() {
    entered++;
    await new Promise((resolve) => setTimeout(resolve, 100));
    const dispatcher = discoveryDispatcher(this.discovery);
    const failures = await Promise.allSettled([
      this.peer.axiosRef.get('/echo'),
      fetch('http://peer.service/echo', { dispatcher }),
    ]);
    if (failures.every(({ status }) => status === 'rejected')) finished++;
  }

  @Get('overloaded')
  async overloaded() {
    await this.peer.axiosRef.get('/overloaded', { responseType: 'stream' }).catch(() => undefined);
    finished++;
  }

  @Get('streams')
  async streams(@Query('by') by: string) {
    if (by === 'fetch') {
      const dispatcher = discoveryDispatcher(this.discovery);
      const { body } = await fetch('http://peer.service/endless', { dispatcher });
      return new StreamableFile(Readable.fromWeb(body as never));
    }
    const { data } = await this.peer.axiosRef.get<Readable>('/endless', {
      responseType: 'stream',
      ...(by === 'core' ? { insecureHTTPParser: false } : {}),
    });
    // Not piped, which would destroy it anyway: only its context ends it.
    data.on('error', () => undefined).resume();
    return new Promise(() => undefined);
  }
}

describe.each(PLATFORMS)('the context of an incoming request, on %s', (platform) => {
  let peer: Server;
  let seen: { url: string | undefined; headers: IncomingHttpHeaders }[];
  let gone: (string | undefined)[];
  const cleanUps: (() => unknown)[] = [];

  beforeEach(async () => {
    seen = [];
    gone = [];
    entered = 0;
    finished = 0;
    peer = createServer((request, response) => {
      const { url, headers } = request;
      seen.push({ url, headers });
      response.once('close', () => {
        if (!response.writableFinished) gone.push(url);
      });
      if (url === '/silent') return;
      if (url === '/overloaded') return void response.writeHead(503, { 'retry-after': '1' }).end('later');
      if (url === '/endless') return void response.write('begin');
      if (url === '/slow-once' && seen.length === 1) return;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(headers));
    });
    await new Promise<void>((resolve) => peer.listen(0, '127.0.0.1', resolve));
    cleanUps.push(() => {
      peer.closeAllConnections();
      peer.close();
    });
  });
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  /** The address of an app whose calls have two instances to go to. */
  const startUrl = async (context?: boolean | ContextOptions): Promise<string> => {
    const registry = new InMemoryRegistry();
    const { port } = peer.address() as AddressInfo;
    for (const address of ['127.0.0.1', 'localhost'])
      registry.put({ service: 'peer', address, port, id: address });
    const options = context === undefined ? { registry } : { registry, context };
    const { app, url } = await startApp(
      rootModule([DiscoveryModule.forRootAsync({ useFactory: () => options })], { controllers: [Gateway] }),
      { platform },
    );
    cleanUps.push(() => app.close());
    return url;
  };
  const start = async (context?: boolean | ContextOptions) => {
    const url = await startUrl(context);
    return async (path: string, headers: Record<string, string> = INCOMING, init = {}): Promise<unknown> =>
      (await globalThis.fetch(`${url}${path}`, { headers, ...init })).json();
  };
  const { 'x-secret': _, 'x-tenant': __, ...STANDARD } = INCOMING;

  it('travels on to calls by every surface, retries and hedges included', async () => {
    const ask = await start(true);
    for (const path of ['/lean', '/core', '/observable', '/fetch', '/any'])
      expect([path, await ask(path)]).toEqual([path, expect.objectContaining(STANDARD)]);
    expect(await ask('/lean')).not.toHaveProperty('x-tenant');
    seen = [];
    expect(await ask('/hedged')).toMatchObject(STANDARD);
    expect(seen).toHaveLength(2);
    const posted = { method: 'POST', body: '{"a":1}' };
    expect(await ask('/posted', { ...INCOMING, 'content-type': 'application/json' }, posted)).toMatchObject(
      STANDARD,
    );
  });

  it('gives way to headers of the call itself', async () => {
    const ask = await start(true);
    const own = { 'x-request-id': 'own', traceparent: 'own', tracestate: INCOMING.tracestate };
    expect(await ask('/own')).toEqual([expect.objectContaining(own), expect.objectContaining(own)]);
  });

  it('has an id for a request that has none, the same for all of its calls', async () => {
    const ask = await start(true);
    const [first, second] = (await ask('/twice', {})) as { 'x-request-id': string }[];
    expect(first?.['x-request-id']).toMatch(/^[\da-f-]{36}$/);
    expect(second?.['x-request-id']).toBe(first?.['x-request-id']);
    const [empty] = (await ask('/twice', { 'x-request-id': '' })) as { 'x-request-id': string }[];
    expect(empty?.['x-request-id']).toMatch(/^[\da-f-]{36}$/);
    const [other] = (await ask('/twice', {})) as { 'x-request-id': string }[];
    expect(other?.['x-request-id']).not.toBe(first?.['x-request-id']);
  });

  it('is what the options say', async () => {
    const ask = await start({
      headers: ['X-Tenant', 'x-tenant', 'x-correlation-id'],
      requestId: 'X-Correlation-Id',
      traceContext: false,
    });
    const sent = (await ask('/lean', { ...INCOMING, 'x-correlation-id': 'c-1' })) as IncomingHttpHeaders;
    expect(sent).toMatchObject({ 'x-tenant': 'acme', 'x-correlation-id': 'c-1' });
    for (const name of ['traceparent', 'tracestate', 'baggage', 'x-request-id', 'x-secret'])
      expect(sent).not.toHaveProperty(name);
    const without = await start({ requestId: false });
    expect(await without('/lean')).not.toHaveProperty('x-request-id');
  });

  it('is nothing without the option', async () => {
    const ask = await start();
    for (const name of Object.keys(INCOMING)) expect(await ask('/lean')).not.toHaveProperty(name);
  });

  it.each([
    ['00-zz'],
    ['00-00000000000000000000000000000000-00f067aa0ba902b7-01'],
    [`ff${TRACE.slice(2)}`],
    [`${TRACE}, ${TRACE}`],
  ])('does not hand on a traceparent such as %s, nor its state', async (traceparent) => {
    const ask = await start(true);
    const sent = await ask('/lean', { ...INCOMING, traceparent, baggage: 'a='.padEnd(8_193, 'b') });
    for (const name of ['traceparent', 'tracestate', 'baggage']) expect(sent).not.toHaveProperty(name);
  });

  it('leaves the trace to instrumentation where there is any', async () => {
    const ask = await start(true);
    const listener = (): void => undefined;
    subscribe('undici:request:create', listener);
    try {
      const sent = await ask('/lean');
      expect(sent).toHaveProperty('x-request-id');
      expect(sent).not.toHaveProperty('traceparent');
    } finally {
      unsubscribe('undici:request:create', listener);
    }
  });

  describe('with cancelWithClient', () => {
    it.each(['lean', 'core', 'fetch', 'any'])('ends a call by %s when the client goes away', async (by) => {
      const url = await startUrl({ cancelWithClient: true });
      const request = nodeGet(`${url}/waits?by=${by}`).on('error', () => undefined);
      await eventually(() => seen.length > 0);
      request.destroy();
      await eventually(() => gone.includes('/silent'));
    });

    it.each(['lean', 'core', 'fetch'])('ends a response stream by %s', async (by) => {
      const url = await startUrl({ cancelWithClient: true });
      const request = nodeGet(`${url}/streams?by=${by}`).on('error', () => undefined);
      await eventually(() => seen.length > 0);
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(gone).toEqual([]);
      request.destroy();
      await eventually(() => gone.includes('/endless'));
    });
  });

  it('makes no call for a client that has gone before, and survives one that goes between two attempts of a stream', async () => {
    const url = await startUrl({ cancelWithClient: true });
    const late = nodeGet(`${url}/late`).on('error', () => undefined);
    await eventually(() => entered > 0);
    late.destroy();
    await eventually(() => finished > 0);
    expect(seen).toEqual([]);
    const streaming = nodeGet(`${url}/overloaded`).on('error', () => undefined);
    await eventually(() => seen.some(({ url: path }) => path === '/overloaded'));
    streaming.destroy();
    await eventually(() => finished > 1);
  });

  it('goes on when the client goes away, without the option', async () => {
    const url = await startUrl(true);
    const request = nodeGet(`${url}/waits?by=lean`).on('error', () => undefined);
    await eventually(() => seen.length > 0);
    request.destroy();
    const other = nodeGet(`${url}/lean`, (response) => response.resume()).on('error', () => undefined);
    await eventually(() => seen.length > 1);
    other.destroy();
    expect(gone).toEqual([]);
  });
});
