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

/** Rookery with every feature of a client on. */
async function rookery({ consul }) {
  await import('reflect-metadata');
  const { Module } = await import('@nestjs/common');
  const { NestFactory } = await import('@nestjs/core');
  const { ConsulModule, ServiceClientFactory, DiscoveryService } = await import('@rookery/consul');
  class App {}
  const clients = {
    circuitBreaker: true,
    bulkhead: { concurrency: 1_000, queue: 100 },
    hedge: true,
  };
  Module({ imports: [ConsulModule.forRoot({ agent: { url: consul }, clients })] })(App);
  const app = await NestFactory.createApplicationContext(App, { logger: ['warn', 'error'] });
  const discovery = app.get(DiscoveryService);
  await discovery.getInstances('inventory');
  return { http: app.get(ServiceClientFactory).create('inventory'), discovery };
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
  'rookery, axiosRef': async (target) => ofAxios((await rookery(target)).http.axiosRef),
  'rookery, two interceptors': async (target) => ofAxios(intercept((await rookery(target)).http.axiosRef)),
  "rookery, through axios's core": async (target) => {
    // An instance that was made from a client is one of axios itself, with the adapter.
    return ofAxios((await rookery(target)).http.axiosRef.create());
  },
};
