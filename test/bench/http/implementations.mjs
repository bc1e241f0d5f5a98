// What is compared: each makes the same GET and the same POST. Ours picks among three instances with all features on; the others call
// one fixed instance, except where a peer balances itself.
import { Buffer } from 'node:buffer';
import { createRequire } from 'node:module';
import { firstValueFrom } from 'rxjs';

const peers = createRequire(new URL('../peers/package.json', import.meta.url));
const JSON_TYPE = { 'content-type': 'application/json' };

/** An instance of axios, as `get` and `post`. */
const ofAxios = (instance) => ({
  get: async () => (await instance.get('/books/42')).data,
  post: async (body) => (await instance.post('/books', body)).data,
});

const ofHttpService = (http) => ({
  get: async () => (await firstValueFrom(http.get('/books/42'))).data,
  post: async (body) => (await firstValueFrom(http.post('/books', body))).data,
});

/** As most apps have: one that authenticates, and one that looks at the response. */
const intercept = (instance) => {
  instance.interceptors.request.use((config) => {
    config.headers.set('authorization', 'Bearer token');
    return config;
  });
  instance.interceptors.response.use((response) => {
    if (response.status > 500) throw new Error('unexpected');
    return response;
  });
  return instance;
};

const plainAxios = async ([origin]) => (await import('axios')).default.create({ baseURL: origin });

const undici = async (send) => ({
  get: async () => (await send('/books/42', { method: 'GET' })).body.json(),
  post: async (body) =>
    (await send('/books', { method: 'POST', headers: JSON_TYPE, body: JSON.stringify(body) })).body.json(),
});

async function nodeHttp([origin]) {
  const { Agent, request } = await import('node:http');
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const send = (path, method, body) =>
    new Promise((resolve, reject) => {
      const headers = body ? { ...JSON_TYPE, 'content-length': Buffer.byteLength(body) } : {};
      const outgoing = request(`${origin}${path}`, { agent, method, headers }, (response) => {
        const chunks = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString())));
        response.on('error', reject);
      });
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  return {
    get: () => send('/books/42', 'GET'),
    post: (body) => send('/books', 'POST', JSON.stringify(body)),
  };
}

async function askConsul({ consul }) {
  const { default: axios } = await import('axios');
  const origin = async () => {
    const { data } = await axios.get(`${consul}/v1/health/service/inventory?passing`);
    const { Service } = data[Math.floor(Math.random() * data.length)];
    return `http://${Service.Address}:${Service.Port}`;
  };
  return {
    get: async () => (await axios.get(`${await origin()}/books/42`)).data,
    post: async (body) => (await axios.post(`${await origin()}/books`, body)).data,
  };
}

async function cockatiel([origin]) {
  const { retry, circuitBreaker, wrap, handleAll, ConsecutiveBreaker, ExponentialBackoff } =
    peers('cockatiel');
  const { default: axios } = await import('axios');
  const instance = axios.create({ baseURL: origin, timeout: 5_000 });
  const policy = wrap(
    retry(handleAll, { maxAttempts: 2, backoff: new ExponentialBackoff() }),
    circuitBreaker(handleAll, { halfOpenAfter: 5_000, breaker: new ConsecutiveBreaker(5) }),
  );
  return {
    get: () => policy.execute(async () => (await instance.get('/books/42')).data),
    post: (body) => policy.execute(async () => (await instance.post('/books', body)).data),
  };
}

/** NestCloud's HTTP client with its load balancer, and the servers given to it. */
async function nestcloud({ origins }) {
  const { Loadbalancer } = peers('@nestcloud/loadbalance/loadbalancer');
  const { Server } = peers('@nestcloud/loadbalance/server');
  const { ServerState } = peers('@nestcloud/loadbalance/server-state');
  const { RoundRobinRule } = peers('@nestcloud/loadbalance/rules/round-robin.rule');
  const { HttpClient } = peers('@nestcloud/http/http.client');
  const servers = origins.map((origin) => {
    const { hostname, port } = new URL(origin);
    const server = new Server(hostname, Number(port));
    server.state = new ServerState();
    server.state.status = 'passing';
    return server;
  });
  const balancer = new Loadbalancer('id', 'inventory', servers, new RoundRobinRule());
  const http = new HttpClient(peers('axios').create(), { service: 'inventory' });
  return ofAxios(http.useLb({ choose: () => balancer.chooseService() }));
}

/** Not HTTP: a protocol of its own between its own nodes. */
async function moleculer({ moleculer: urls }) {
  const { createBroker } = await import('./moleculer.mjs');
  const broker = createBroker('client', urls);
  await broker.start();
  await broker.waitForServices('books');
  return { get: () => broker.call('books.get', { id: 42 }), post: (body) => broker.call('books.post', body) };
}

/** Every feature of a client on. */
const CLIENTS = { circuitBreaker: true, bulkhead: { concurrency: 1_000, queue: 100 }, hedge: true };

async function rookeryModule({ consul }, options = {}) {
  await import('reflect-metadata');
  const { ConsulModule } = await import('@rookery/consul');
  return ConsulModule.forRoot({ agent: { url: consul }, clients: CLIENTS, ...options });
}

/** Sets up the SDK of OpenTelemetry in this process, with nowhere to send what it has; `traces`: with a tracer. */
async function startSdk({ traces }) {
  const { context, metrics, propagation, trace } = await import('@opentelemetry/api');
  const { MeterProvider, PeriodicExportingMetricReader } = await import('@opentelemetry/sdk-metrics');
  const exporter = {
    export: (_, done) => done({ code: 0 }),
    forceFlush: async () => undefined,
    shutdown: async () => undefined,
  };
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 5_000 });
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
  if (!traces) return;
  const { AsyncLocalStorageContextManager } = await import('@opentelemetry/context-async-hooks');
  const { W3CTraceContextPropagator } = await import('@opentelemetry/core');
  const { BasicTracerProvider, BatchSpanProcessor } = await import('@opentelemetry/sdk-trace-base');
  trace.setGlobalTracerProvider(
    new BasicTracerProvider({ spanProcessors: [new BatchSpanProcessor(exporter)] }),
  );
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
}

/** Calls as part of requests that are traced, of ten of them so many are recorded: instrumentation of the server has made their context. */
async function inTraces({ get, post }, recorded) {
  const { context, trace } = await import('@opentelemetry/api');
  const requests = Array.from({ length: 10 }, (_, n) =>
    trace.setSpanContext(context.active(), {
      traceId: '0af7651916cd43dd8448eb211c80319c',
      spanId: 'b7ad6b7169203331',
      traceFlags: n < recorded ? 1 : 0,
    }),
  );
  let n = 0;
  return {
    get: () => context.with(requests[n++ % 10], get),
    post: (body) => context.with(requests[n++ % 10], post, undefined, body),
  };
}

/** @param recorded of ten requests */
async function traced(target, recorded, options = {}) {
  await startSdk({ traces: true });
  return inTraces(ofAxios((await rookery(target, options)).http.axiosRef), recorded);
}

/** What there is without us: the same SDK, with the instrumentation of undici or without. */
async function tracedPool(target, instrumented) {
  await startSdk({ traces: true });
  if (instrumented) {
    const { UndiciInstrumentation } = await import('@opentelemetry/instrumentation-undici');
    new UndiciInstrumentation().enable();
  }
  return inTraces(await IMPLEMENTATIONS['undici.Pool'](target), 1);
}

async function rookery(target, options = {}) {
  const { Module } = await import('@nestjs/common');
  const { NestFactory } = await import('@nestjs/core');
  const { ServiceClientFactory, DiscoveryService } = await import('@rookery/consul');
  class App {}
  Module({ imports: [await rookeryModule(target, options)] })(App);
  const app = await NestFactory.createApplicationContext(App, { logger: ['warn', 'error'] });
  const discovery = app.get(DiscoveryService);
  await discovery.getInstances('inventory');
  return { http: app.get(ServiceClientFactory).create('inventory'), discovery };
}

async function declarative(target) {
  const { Module } = await import('@nestjs/common');
  const { NestFactory } = await import('@nestjs/core');
  const { ServiceClient } = await import('@rookery/consul');
  const { Body, call, Get, Param, Post } = await import('@rookery/consul/client');
  class Books {
    find(id) {
      return call(id);
    }
    add(book) {
      return call(book);
    }
  }
  const decorate = (name, route, argument) => {
    const descriptor = Object.getOwnPropertyDescriptor(Books.prototype, name);
    argument(Books.prototype, name, 0);
    route(Books.prototype, name, descriptor);
    Object.defineProperty(Books.prototype, name, descriptor);
  };
  decorate('find', Get('/books/:id'), Param('id'));
  decorate('add', Post('/books'), Body());
  ServiceClient('inventory')(Books);
  class App {}
  Module({ imports: [await rookeryModule(target)] })(App);
  const app = await NestFactory.createApplicationContext(App, { logger: ['warn', 'error'] });
  const books = app.get(Books, { strict: false });
  return { get: () => books.find('42'), post: (body) => books.add(body) };
}

/** Calls that are made while an incoming request is processed, which stays open. */
async function inRequest(target, context) {
  const { AsyncLocalStorage } = await import('node:async_hooks');
  const { Controller, Get, Module } = await import('@nestjs/common');
  const { NestFactory } = await import('@nestjs/core');
  const { ServiceClientFactory } = await import('@rookery/consul');
  const entered = {};
  const inside = new Promise((resolve) => (entered.resolve = resolve));
  class Gateway {
    enter() {
      entered.resolve(AsyncLocalStorage.snapshot());
      return new Promise(() => undefined);
    }
  }
  Get('enter')(Gateway.prototype, 'enter', Object.getOwnPropertyDescriptor(Gateway.prototype, 'enter'));
  Controller()(Gateway);
  class App {}
  Module({ imports: [await rookeryModule(target, { context })], controllers: [Gateway] })(App);
  const app = await NestFactory.create(App, { logger: ['warn', 'error'] });
  await app.listen(0, '127.0.0.1');
  const headers = {
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    'rookery-timeout': '9999999999',
  };
  fetch(`${await app.getUrl()}/enter`, { headers }).catch(() => undefined);
  const run = await inside;
  const { axiosRef } = app.get(ServiceClientFactory).create('inventory');
  const calls = ofAxios(axiosRef);
  return { get: () => run(calls.get), post: (body) => run(calls.post, body) };
}

export const IMPLEMENTATIONS = {
  axios: async ({ origins }) => ofAxios(await plainAxios(origins)),
  'axios, again': async ({ origins }) => ofAxios(await plainAxios(origins)),
  '@nestjs/axios': async ({ origins }) => {
    const { HttpService } = await import('@nestjs/axios');
    return ofHttpService(new HttpService(await plainAxios(origins)));
  },
  'axios, two interceptors': async ({ origins }) => ofAxios(intercept(await plainAxios(origins))),
  'axios with cockatiel': ({ origins }) => cockatiel(origins),
  'axios, asking Consul each time': askConsul,
  '@nestcloud/http': nestcloud,
  moleculer,
  fetch: async ({ origins: [origin] }) => ({
    get: async () => (await fetch(`${origin}/books/42`)).json(),
    post: async (body) =>
      (
        await fetch(`${origin}/books`, { method: 'POST', headers: JSON_TYPE, body: JSON.stringify(body) })
      ).json(),
  }),
  'node:http': ({ origins }) => nodeHttp(origins),
  'undici.request': async ({ origins: [origin] }) => {
    const { request } = await import('undici');
    return undici((path, options) => request(`${origin}${path}`, options));
  },
  'undici.Pool': async ({ origins: [origin] }) => {
    const { Pool } = await import('undici');
    const pool = new Pool(origin, { connections: 64 });
    return undici((path, options) => pool.request({ path, ...options }));
  },
  'undici.Pool.dispatch, bare': async ({ origins: [origin] }) => {
    const { Pool } = await import('undici');
    const pool = new Pool(origin, { connections: 64 });
    const send = (method, path, headers, body) =>
      new Promise((resolve, reject) => {
        const chunks = [];
        pool.dispatch(
          { path, method, headers, body, headersTimeout: 0, bodyTimeout: 0 },
          {
            onConnect: () => undefined,
            onHeaders: () => true,
            onData: (chunk) => chunks.push(chunk) > 0,
            onComplete: () => resolve(JSON.parse(Buffer.concat(chunks).toString())),
            onError: reject,
          },
        );
      });
    return {
      get: () => send('GET', '/books/42'),
      post: (body) => send('POST', '/books', JSON_TYPE, JSON.stringify(body)),
    };
  },
  'undici.Pool, again': (target) => IMPLEMENTATIONS['undici.Pool'](target),
  'rookery, Observable': async (target) => ofHttpService((await rookery(target)).http),
  'rookery, defaults': async (target) => ofAxios((await rookery(target, { clients: {} })).http.axiosRef),
  'rookery, axiosRef': async (target) => ofAxios((await rookery(target)).http.axiosRef),
  'rookery, axiosRef, p2c-load': async (target) =>
    ofAxios((await rookery(target, { clients: { ...CLIENTS, strategy: 'p2c-load' } })).http.axiosRef),
  'rookery, two interceptors': async (target) => ofAxios(intercept((await rookery(target)).http.axiosRef)),
  'rookery, declarative': declarative,
  'rookery, dispatcher': async (target) => {
    const { discoveryDispatcher } = await import('@rookery/consul');
    const { request } = await import('undici');
    const dispatcher = discoveryDispatcher((await rookery(target)).discovery);
    return undici((path, options) => request(`http://inventory.service${path}`, { dispatcher, ...options }));
  },
  'rookery, in a request': (target) => inRequest(target, false),
  'rookery, in a request, with context': (target) => inRequest(target, true),
  'rookery, in a request, that cancels': (target) => inRequest(target, { cancelWithClient: true }),
  // With the SDK of OpenTelemetry. As most deploy it: metrics, and one in ten traces is recorded; then every one of them.
  'rookery, telemetry off': async (target) =>
    ofAxios((await rookery(target, { telemetry: false })).http.axiosRef),
  'rookery, metrics': async (target) => {
    await startSdk({ traces: false });
    return ofAxios((await rookery(target)).http.axiosRef);
  },
  'rookery, telemetry off, with the SDK': (target) => traced(target, 1, { telemetry: false }),
  'rookery, metrics and a tenth of the traces': (target) => traced(target, 1),
  'rookery, metrics and all traces': (target) => traced(target, 10),
  'undici.Pool, with the SDK': (target) => tracedPool(target, false),
  'undici.Pool, instrumented, a tenth of the traces': (target) => tracedPool(target, true),
  "rookery, through axios's core": async (target) => {
    // An instance that was made from a client is one of axios itself, with the adapter.
    return ofAxios((await rookery(target)).http.axiosRef.create());
  },
};
