import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HttpService } from '@nestjs/axios';
import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { context, propagation, SpanKind, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  discoveryDispatcher,
  DiscoveryService,
  getServiceClientToken,
  ServiceClient,
} from '@rookery/discovery';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';
import axios from 'axios';
import { default as MockAdapter } from 'axios-mock-adapter';
import nock from 'nock';
import { firstValueFrom } from 'rxjs';
import { fetch, MockAgent } from 'undici';

@Injectable()
class Shop {
  constructor(@ServiceClient('books') readonly books: HttpService) {}
}

/** What the page on testing says of tools that users bring. */
describe('with a service client', () => {
  const cleanUps: (() => unknown)[] = [];
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  const start = async ({ override }: { override?: HttpService } = {}) => {
    const seen: { url: string | undefined; headers: IncomingHttpHeaders; trace: number }[] = [];
    const server = createServer(({ url, headers, rawHeaders }, response) => {
      seen.push({
        url,
        headers,
        trace: rawHeaders.filter((name) => name.toLowerCase() === 'traceparent').length,
      });
      response.statusCode = seen.length === 1 && url === '/once' ? 503 : 200;
      response.end('real');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanUps.push(() => {
      server.closeAllConnections();
      server.close();
    });
    const registry = new InMemoryRegistry();
    for (const id of ['a', 'b'])
      registry.put({
        id,
        service: 'books',
        address: '127.0.0.1',
        port: (server.address() as AddressInfo).port,
      });
    const building = Test.createTestingModule({
      imports: [DiscoveryModule.forRootAsync({ useFactory: () => ({ registry, context: true }) })],
      providers: [Shop],
    });
    if (override) building.overrideProvider(getServiceClientToken('books')).useValue(override);
    const app = await building.compile();
    cleanUps.push(() => app.close());
    return { books: app.get(Shop).books, discovery: app.get(DiscoveryService), seen };
  };

  it('axios-mock-adapter answers in place of the instances, until it is restored', async () => {
    const { books, seen } = await start();
    // It is CommonJS: its default export is the class, and its types are those of axios there.
    const mock = new MockAdapter(books.axiosRef as never);
    mock.onGet('/books').reply(200, ['Emma']);
    expect((await firstValueFrom(books.get<string[]>('/books'))).data).toEqual(['Emma']);
    await expect(books.axiosRef.get('/others')).rejects.toMatchObject({ response: { status: 404 } });
    expect(seen).toEqual([]);
    mock.restore();
    expect((await books.axiosRef.get<string>('/books')).data).toBe('real');
  });

  it('nock mocks the host of a plain HttpService that replaces the client', async () => {
    const override = new HttpService(axios.create({ baseURL: 'http://inventory.test' }));
    const { books, seen } = await start({ override });
    cleanUps.push(() => nock.restore());
    nock('http://inventory.test').get('/books').reply(200, ['Emma']);
    expect((await firstValueFrom(books.get<string[]>('/books'))).data).toEqual(['Emma']);
    expect(seen).toEqual([]);
  });

  it("undici's MockAgent takes the place of the dispatcher", async () => {
    const { discovery, seen } = await start();
    const mocked = new MockAgent();
    mocked.disableNetConnect();
    cleanUps.push(() => mocked.close());
    mocked.get('http://books.service').intercept({ path: '/books' }).reply(200, 'mocked');
    expect(await (await fetch('http://books.service/books', { dispatcher: mocked })).text()).toBe('mocked');
    expect(seen).toEqual([]);
    const dispatcher = discoveryDispatcher(discovery);
    expect(await (await fetch('http://books.service/books', { dispatcher })).text()).toBe('real');
  });

  it("OpenTelemetry's instrumentation has a span for each attempt, below that of the call, and sends its own trace", async () => {
    const exporter = new InMemorySpanExporter();
    const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
    trace.setGlobalTracerProvider(provider);
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    propagation.setGlobalPropagator(new W3CTraceContextPropagator());
    const instrumentation = new UndiciInstrumentation();
    instrumentation.enable();
    cleanUps.push(() => {
      instrumentation.disable();
      trace.disable();
      context.disable();
      propagation.disable();
    });
    const { books, seen } = await start();
    const tracer = trace.getTracer('test');
    const parent = tracer.startSpan('request');
    await context.with(trace.setSpan(context.active(), parent), async () => {
      expect((await books.axiosRef.get('/once')).status).toBe(200);
    });
    parent.end();
    const attempts = exporter.getFinishedSpans().filter(({ kind }) => kind === SpanKind.CLIENT);
    const call = exporter.getFinishedSpans().find(({ name }) => name === 'call books');
    expect(call?.parentSpanContext?.spanId).toBe(parent.spanContext().spanId);
    expect(attempts.map(({ attributes }) => attributes['http.response.status_code'])).toEqual([503, 200]);
    for (const span of attempts) {
      expect(span.parentSpanContext?.spanId).toBe(call?.spanContext().spanId);
      expect(span.attributes).toMatchObject({ 'server.address': '127.0.0.1', 'url.path': '/once' });
    }
    expect(seen.map(({ trace: sent }) => sent)).toEqual([1, 1]);
    expect(seen.map(({ headers }) => String(headers.traceparent).split('-')[2])).toEqual(
      attempts.map((span) => span.spanContext().spanId),
    );
  });
});
