import { readFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HttpService } from '@nestjs/axios';
import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici';
import { SamplingDecision } from '@opentelemetry/sdk-trace-base';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  discoveryFetch,
  DiscoveryService,
  ServiceClient,
  type ServicePolicy,
  type TelemetryOptions,
} from '@rookery/discovery';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';
import { eventually } from '@rookery/test-support';
import { SCOPE } from '#libs/discovery/dist/telemetry/open-telemetry.js';
import { ATTRIBUTES, METRICS } from '#libs/discovery/dist/telemetry/metric-table.js';
import { TelemetrySdk } from './telemetry-sdk.js';

@Injectable()
class Shop {
  constructor(@ServiceClient('books') readonly books: HttpService) {}
}

interface Seen {
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly traces: number;
}

type Answer = (response: ServerResponse, request: number) => void;

describe('OpenTelemetry', () => {
  const cleanUps: (() => unknown)[] = [];
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  const startSdk = (): TelemetrySdk => {
    const sdk = new TelemetrySdk().start();
    cleanUps.push(() => sdk.stop());
    return sdk;
  };
  /** Two instances of books; the first request is answered by `first`. */
  const start = async (
    answer: Answer = (response) => response.end('[]'),
    { telemetry, policy = {} }: { telemetry?: boolean | TelemetryOptions; policy?: ServicePolicy } = {},
  ) => {
    const seen: Seen[] = [];
    const server = createServer(({ url, headers, rawHeaders }, response) => {
      const traces = rawHeaders.filter((name) => name.toLowerCase() === 'traceparent').length;
      seen.push({ url, headers, traces });
      answer(response, seen.length);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    cleanUps.push(() => {
      server.closeAllConnections();
      server.close();
    });
    const registry = new InMemoryRegistry();
    for (const id of ['a', 'b']) registry.put({ id, service: 'books', address: '127.0.0.1', port });
    const useFactory = () => ({
      registry,
      context: true,
      clients: { services: { books: policy } },
      ...(telemetry === undefined ? {} : { telemetry }),
    });
    const app = await Test.createTestingModule({
      imports: [DiscoveryModule.forRootAsync({ useFactory })],
      providers: [Shop],
    }).compile();
    await app.init();
    cleanUps.push(() => app.close());
    return { app, port, registry, books: app.get(Shop).books, discovery: app.get(DiscoveryService), seen };
  };
  const failFirst: Answer = (response, request) => {
    response.statusCode = request === 1 ? 503 : 200;
    response.end('[]');
  };
  const inRequest = async <T>(work: () => Promise<T>): Promise<{ parentId: string; result: T }> => {
    const parent = trace.getTracer('test').startSpan('request');
    const result = await context.with(trace.setSpan(context.active(), parent), work);
    parent.end();
    return { parentId: parent.spanContext().spanId, result };
  };

  it('has a CLIENT span for each attempt, below an INTERNAL one of the call, and sends its trace', async () => {
    const sdk = startSdk();
    const { books, seen, port } = await start(failFirst);
    const { parentId } = await inRequest(() =>
      books.axiosRef.get('/books?search=secret-title&page=2', { params: { token: 's3cret' } }),
    );
    const [call] = sdk.spans(SpanKind.INTERNAL).filter(({ name }) => name === 'call books');
    expect(call?.parentSpanContext?.spanId).toBe(parentId);
    expect(call?.attributes).toEqual({ 'rookery.service': 'books', 'rookery.call.attempts': 2 });
    expect(call?.status.code).toBe(SpanStatusCode.UNSET);
    expect(call?.instrumentationScope).toMatchObject(SCOPE);
    const attempts = sdk.spans(SpanKind.CLIENT);
    const peer = { 'network.peer.address': '127.0.0.1', 'network.peer.port': port };
    const request = {
      'http.request.method': 'GET',
      'server.address': 'books',
      'server.port': 80,
      'url.full': 'http://books/books?search=REDACTED&page=REDACTED&token=REDACTED',
      'rookery.instance.id': expect.stringMatching(/^[ab]$/),
      ...peer,
    };
    expect(attempts.map(({ name, attributes }) => ({ name, attributes }))).toEqual([
      { name: 'GET', attributes: { ...request, 'http.response.status_code': 503, 'error.type': '503' } },
      {
        name: 'GET',
        attributes: { ...request, 'http.request.resend_count': 1, 'http.response.status_code': 200 },
      },
    ]);
    expect(attempts.map(({ status }) => status)).toEqual([
      { code: SpanStatusCode.ERROR },
      { code: SpanStatusCode.UNSET },
    ]);
    for (const { parentSpanContext } of attempts)
      expect(parentSpanContext?.spanId).toBe(call?.spanContext().spanId);
    expect(seen.map(({ traces }) => traces)).toEqual([1, 1]);
    expect(seen.map(({ headers }) => String(headers.traceparent).split('-')[2])).toEqual(
      attempts.map((span) => span.spanContext().spanId),
    );
    expect(await sdk.points('http.client.request.duration')).toMatchObject([
      {
        attributes: { 'server.address': 'books', 'http.response.status_code': 503, 'error.type': '503' },
        value: 1,
      },
      { attributes: { 'http.request.method': 'GET', 'http.response.status_code': 200 }, value: 1 },
    ]);
    expect(await sdk.points('rookery.calls')).toEqual([
      { attributes: { 'rookery.service': 'books', 'rookery.call.outcome': 'success' }, value: 1 },
    ]);
    expect(await sdk.points('rookery.call.retries')).toEqual([
      { attributes: { 'rookery.service': 'books', 'rookery.retry.kind': 'retry' }, value: 1 },
    ]);
  });

  it('leaves the attempts to instrumentation of undici where that is present, and counts none twice', async () => {
    const sdk = startSdk();
    const instrumentation = new UndiciInstrumentation();
    instrumentation.enable();
    cleanUps.push(() => instrumentation.disable());
    const { books, seen } = await start(failFirst);
    await inRequest(() => books.axiosRef.get('/books'));
    const [call] = sdk.spans(SpanKind.INTERNAL).filter(({ name }) => name === 'call books');
    const attempts = sdk.spans(SpanKind.CLIENT);
    expect(attempts.map(({ instrumentationScope }) => instrumentationScope.name)).toEqual(
      Array(2).fill('@opentelemetry/instrumentation-undici'),
    );
    for (const { parentSpanContext } of attempts)
      expect(parentSpanContext?.spanId).toBe(call?.spanContext().spanId);
    expect(seen.map(({ traces }) => traces)).toEqual([1, 1]);
    const recorded = await sdk.points('http.client.request.duration');
    expect(recorded.reduce((sum, { value }) => sum + value, 0)).toBe(2);
    expect(await sdk.points('rookery.calls')).toHaveLength(1);
  });

  it.each([
    ['a dispatcher', ({ discovery }: Started) => discoveryFetch(discovery)('http://books.service/books')],
    [
      'an Observable',
      ({ books }: Started) =>
        new Promise<void>((resolve, reject) =>
          books.get('/books').subscribe({ error: reject, complete: resolve }),
        ),
    ],
  ])('knows the attempts of %s', async (_name, send) => {
    const sdk = startSdk();
    const app = await start(failFirst);
    await inRequest<unknown>(() => send(app));
    expect(
      sdk
        .spans(SpanKind.CLIENT)
        .map(({ name, attributes }) => [name, attributes['http.response.status_code']]),
    ).toEqual([
      ['GET', 503],
      ['GET', 200],
    ]);
  });

  it('knows those of discovery.call, which have no method, and a status where the result is a Response', async () => {
    const sdk = startSdk();
    const { discovery, seen } = await start(failFirst);
    const { result } = await inRequest(() =>
      discovery.call(
        'books',
        ({ address, port }, signal, { headers }) => fetch(`http://${address}:${port}/x`, { signal, headers }),
        { idempotent: true },
      ),
    );
    expect(result.status).toBe(200);
    const attempts = sdk.spans(SpanKind.CLIENT);
    expect(attempts.map(({ name, attributes }) => [name, attributes['http.response.status_code']])).toEqual([
      ['books', 503],
      ['books', 200],
    ]);
    expect(seen.map(({ headers }) => String(headers.traceparent).split('-')[2])).toEqual(
      attempts.map((span) => span.spanContext().spanId),
    );
    expect(await sdk.points('http.client.request.duration')).toEqual([]);
  });

  it('tells a connection that was refused, a timeout, and a call that its caller cancelled', async () => {
    const sdk = startSdk();
    const { books, registry } = await start(() => undefined, { policy: { retries: 0 } });
    const cancelling = new AbortController();
    const cancelled = books.axiosRef.get('/slow', { signal: cancelling.signal });
    setTimeout(() => cancelling.abort(), 50);
    await expect(cancelled).rejects.toThrow('canceled');
    await expect(books.axiosRef.get('/slow', { call: { timeout: '100ms' } })).rejects.toThrow();
    for (const id of ['a', 'b']) registry.put({ id, service: 'books', address: '127.0.0.1', port: 1 });
    await eventually(async () => {
      await expect(books.axiosRef.get('/books')).rejects.toThrow();
      return sdk.spans().some(({ attributes }) => attributes['error.type'] === 'ECONNREFUSED');
    });
    const types = (kind: SpanKind) =>
      new Set(
        sdk.spans(kind).map(({ attributes, status }) => `${String(attributes['error.type'])} ${status.code}`),
      );
    const { ERROR, UNSET } = SpanStatusCode;
    expect(types(SpanKind.CLIENT)).toEqual(
      new Set([`cancelled ${UNSET}`, `timeout ${ERROR}`, `ECONNREFUSED ${ERROR}`]),
    );
    const outcomes = (await sdk.points('rookery.calls')).map(
      ({ attributes }) => `${String(attributes['rookery.call.outcome'])} ${String(attributes['error.type'])}`,
    );
    expect(outcomes).toEqual(
      expect.arrayContaining(['cancelled cancelled', 'failure RK_CALL_TIMEOUT', 'failure ECONNREFUSED']),
    );
  });

  it.each([
    { of: 'this process', isRemote: false, asked: [] },
    { of: 'another process', isRemote: true, asked: ['call books'] },
  ])(
    'hands on a trace of $of that is not recorded, and asks the sampler for $asked',
    async ({ isRemote, asked }) => {
      const names: string[] = [];
      const sampler = {
        shouldSample: (_context: unknown, _traceId: string, name: string) => {
          names.push(name);
          return { decision: SamplingDecision.NOT_RECORD };
        },
      };
      const sdk = new TelemetrySdk().start(sampler);
      cleanUps.push(() => sdk.stop());
      const { books, seen } = await start(failFirst);
      const traceId = '0af7651916cd43dd8448eb211c80319c';
      const parent = { traceId, spanId: 'b7ad6b7169203331', traceFlags: 0, isRemote };
      await context.with(trace.setSpanContext(context.active(), parent), () => books.axiosRef.get('/books'));
      expect(names).toEqual(asked);
      expect(sdk.spans()).toEqual([]);
      expect(seen.map(({ headers }) => headers.traceparent)).toEqual([
        `00-${traceId}-b7ad6b7169203331-00`,
        `00-${traceId}-b7ad6b7169203331-00`,
      ]);
      expect(await sdk.points('rookery.calls')).toMatchObject([{ value: 1 }]);
      expect(await sdk.points('rookery.call.retries')).toMatchObject([{ value: 1 }]);
      expect(await sdk.points('http.client.request.duration')).toMatchObject([{ value: 1 }, { value: 1 }]);
    },
  );

  it('continues the trace of the incoming request where nothing else does', async () => {
    const { runInCall } = await import('#libs/discovery/dist/calling/incoming-call.js');
    const sdk = startSdk();
    const { books } = await start();
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const headers = ['traceparent', `00-${traceId}-b7ad6b7169203331-01`];
    await runInCall({ deadline: Infinity, isOver: false, context: { headers } }, () =>
      books.axiosRef.get('/books'),
    );
    expect(sdk.spans().map((span) => span.spanContext().traceId)).toEqual([traceId, traceId]);
  });

  it('finds an SDK that is set up after the app', async () => {
    const { books } = await start();
    await books.axiosRef.get('/books');
    const sdk = startSdk();
    await eventually(async () => {
      await books.axiosRef.get('/books');
      return sdk.spans(SpanKind.CLIENT).length > 0 && (await sdk.points('rookery.calls')).length > 0;
    });
  });

  it('is silent without an SDK, and where it is turned off', async () => {
    const plain = await start();
    await plain.books.axiosRef.get('/books');
    expect(plain.seen.map(({ traces }) => traces)).toEqual([0]);
    const sdk = startSdk();
    const off = await start(undefined, { telemetry: false });
    await off.books.axiosRef.get('/books');
    expect(sdk.spans()).toEqual([]);
    expect(await sdk.metrics()).toEqual([]);
    const withoutSpans = await start(undefined, { telemetry: { spans: false } });
    await withoutSpans.books.axiosRef.get('/books');
    expect(sdk.spans()).toEqual([]);
    expect(await sdk.points('rookery.calls')).toHaveLength(1);
  });

  it('has a bounded number of series, whatever is called', async () => {
    const sdk = startSdk();
    const { discovery, registry, port } = await start();
    for (let n = 0; n < 300; n++) {
      const service = `tenant-${n}`;
      registry.put({ id: service, service, address: '127.0.0.1', port });
      const attempt = async (): Promise<void> => {
        throw Object.assign(new Error('no'), { code: `E_${n}` });
      };
      await discovery.call(service, attempt).catch(() => undefined);
    }
    const points = await sdk.points('rookery.calls');
    const distinct = (name: string) => new Set(points.flatMap(({ attributes }) => attributes[name] ?? []));
    expect(distinct('rookery.service').size).toBe(201);
    expect(distinct('rookery.service')).toContain('_OTHER');
    expect(distinct('error.type').size).toBe(51);
    expect((await sdk.points('rookery.instances.usable')).length).toBeLessThanOrEqual(201);
    expect(points.reduce((sum, { value }) => sum + value, 0)).toBe(300);
  }, 30_000);

  it('counts the attempts of a hedged call, the one that lost too', async () => {
    const sdk = startSdk();
    const { books } = await start(
      (response, request) => {
        if (request > 1) response.end('[]');
      },
      { policy: { hedge: { delay: '20ms', budget: 1 } } },
    );
    await books.axiosRef.get('/books');
    const [call] = sdk.spans(SpanKind.INTERNAL).filter(({ name }) => name === 'call books');
    expect(call?.attributes['rookery.call.attempts']).toBe(2);
    await eventually(() => sdk.spans(SpanKind.CLIENT).length === 2);
  });

  it('has the metrics of its table, with these attributes and no others', async () => {
    const sdk = startSdk();
    const { books, discovery } = await start(failFirst, {
      policy: { circuitBreaker: true, bulkhead: { concurrency: 10 }, hedge: true },
    });
    await books.axiosRef.get('/books');
    await discovery.call('none', async () => undefined, { fallback: () => undefined });
    const defined = new Map(Object.values(METRICS).map((metric) => [metric.name as string, metric]));
    const metrics = await sdk.metrics();
    for (const { descriptor, dataPoints } of metrics) {
      const metric = defined.get(descriptor.name);
      expect({ name: descriptor.name, unit: descriptor.unit }).toEqual({
        name: metric?.name,
        unit: metric?.unit,
      });
      for (const { attributes } of dataPoints)
        for (const attribute of Object.keys(attributes)) expect(metric?.attributes).toContain(attribute);
    }
    const seen = new Set(metrics.map(({ descriptor }) => descriptor.name));
    for (const name of [
      'rookery.circuit_breaker.open',
      'rookery.bulkhead.limit',
      'rookery.retry_budget.available',
    ])
      expect(seen).toContain(name);
    for (const { attributes } of Object.values(METRICS))
      for (const attribute of attributes) expect(ATTRIBUTES).toHaveProperty([attribute]);
  });

  it('has the version of its package for a scope', () => {
    const file = new URL('../../libs/discovery/package.json', import.meta.url);
    const { name, version } = JSON.parse(readFileSync(file, 'utf8')) as { name: string; version: string };
    expect(SCOPE).toEqual({ name, version });
  });
});

interface Started {
  readonly books: HttpService;
  readonly discovery: DiscoveryService;
}
