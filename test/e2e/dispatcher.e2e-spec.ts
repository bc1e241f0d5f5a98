import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable, Writable } from 'node:stream';
import { afterEach, describe, expect, it } from '@jest/globals';
import { NestFactory } from '@nestjs/core';
import {
  discoveryDispatcher,
  discoveryFetch,
  DiscoveryEvents,
  DiscoveryService,
  type ClientsOptions,
} from '@rookery/discovery';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';
import { eventually, freePorts } from '@rookery/test-support';
import {
  Client,
  fetch as undiciFetch,
  FormData,
  interceptors,
  MockAgent,
  request,
  stream,
  type Dispatcher,
  upgrade,
} from 'undici';
import { rootModule } from './test-app.js';

type Fetch = (url: string, init?: object) => Promise<Response>;

/** As text, since Node's own fetch is of another realm than Jest's modules, whose errors are none to it. */
async function causeOf(failing: Promise<unknown>): Promise<string> {
  const error = await failing.then(
    () => undefined,
    (thrown: unknown) => thrown as Error,
  );
  return String((error?.cause as Error | undefined)?.message);
}

describe('discoveryDispatcher', () => {
  const cleanUps: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  const listen = async (listener: RequestListener): Promise<number> => {
    const server: Server = createServer(listener);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanUps.push(async () => {
      server.closeAllConnections();
      server.close();
    });
    return (server.address() as AddressInfo).port;
  };
  const start = async (
    ports: readonly number[],
    options: Parameters<typeof discoveryDispatcher>[1] = {},
    clients: ClientsOptions = {},
  ) => {
    const registry = new InMemoryRegistry();
    for (const port of ports) registry.put({ service: 'books', address: '127.0.0.1', port });
    const app = await NestFactory.createApplicationContext(
      rootModule([DiscoveryModule.forRootAsync({ useFactory: () => ({ registry, clients }) })]),
      { logger: false, abortOnError: false },
    );
    cleanUps.push(() => app.close());
    const discovery = app.get(DiscoveryService);
    const dispatcher = discoveryDispatcher(discovery, options);
    cleanUps.push(() => dispatcher.destroy());
    return { dispatcher, discovery, events: app.get(DiscoveryEvents) };
  };
  const echo: RequestListener = (incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const { method, url, headers } = incoming;
      response.setHeader('content-type', 'application/json');
      response.setHeader('set-cookie', ['a=1', 'b=2']);
      response.end(JSON.stringify({ method, url, headers, body: Buffer.concat(chunks).toString() }));
    });
  };

  describe.each<[string, Fetch]>([
    ["Node's fetch", globalThis.fetch],
    ["undici's fetch", undiciFetch],
  ])('%s', (_, fetch) => {
    it('reaches an instance by the name of the service, with headers, query and bodies', async () => {
      const { dispatcher } = await start([await listen(echo)]);
      const response = await fetch('http://books.service/books?q=1', {
        dispatcher,
        method: 'POST',
        body: '{"a":1}',
        headers: { 'x-own': 'yes' },
      });
      expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
      expect(await response.json()).toMatchObject({
        method: 'POST',
        url: '/books?q=1',
        body: '{"a":1}',
        headers: { 'x-own': 'yes', 'rookery-timeout': expect.any(String) as unknown },
      });
      const form = new URLSearchParams({ a: 'b c' });
      const formed = await fetch('http://books.service.consul/', { dispatcher, method: 'PUT', body: form });
      expect(await formed.json()).toMatchObject({ body: 'a=b+c', headers: { 'content-length': '5' } });
    });

    it('goes to the next instance where the first refuses, also with a body', async () => {
      const dead = await freePorts(3);
      const { dispatcher } = await start([...dead, await listen(echo)]);
      for (let n = 0; n < 8; n++) {
        const response = await fetch('http://books.service/', { dispatcher, method: 'POST', body: `${n}` });
        expect(((await response.json()) as { body: string }).body).toBe(`${n}`);
      }
    });

    it('retries a GET that was answered with 503, and hands on the response of the last attempt', async () => {
      let asked = 0;
      const broken = await listen((__, response) => {
        asked++;
        response.writeHead(503).end('overloaded '.repeat(10_000));
      });
      const { dispatcher } = await start([broken, await listen(echo)]);
      for (let n = 0; n < 10; n++)
        expect((await fetch('http://books.service/', { dispatcher })).status).toBe(200);
      expect(asked).toBeGreaterThan(0);
      const alone = await start([broken]);
      const response = await fetch('http://books.service/', { dispatcher: alone.dispatcher });
      expect(response.status).toBe(503);
      expect(await response.text()).toHaveLength(110_000);
    });

    it('rejects with the reason, and every attempt', async () => {
      const { dispatcher } = await start(await freePorts(2));
      expect(await causeOf(fetch('http://books.service/', { dispatcher }))).toMatch(
        /"books" failed.*ECONNREFUSED.*ECONNREFUSED/s,
      );
      expect(await causeOf(fetch('http://none.service/', { dispatcher }))).toMatch(
        /no usable instance of "none"/,
      );
      await expect(request('http://books.service/', { dispatcher })).rejects.toMatchObject({
        code: 'RK_CALL_FAILED',
        call: { service: 'books', attempts: [{}, {}] },
      });
    });

    it('ends at its timeout, and when its signal aborts, before and after the head of the response', async () => {
      const arrived: string[] = [];
      const closed: string[] = [];
      const slow = await listen((incoming, response) => {
        arrived.push(incoming.url ?? '');
        incoming.socket.once('close', () => closed.push(incoming.url ?? ''));
        if (incoming.url === '/begun') response.write('begin');
      });
      const { dispatcher } = await start([slow], { timeout: '1s' });
      expect(await causeOf(fetch('http://books.service/late', { dispatcher }))).toMatch(/no response in/);
      const { dispatcher: patient } = await start([slow]);
      const aborting = new AbortController();
      const waiting = fetch('http://books.service/waiting', { dispatcher: patient, signal: aborting.signal });
      const aborted = eventually(() => arrived.includes('/waiting')).then(() => aborting.abort());
      await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
      await aborted;
      const reading = new AbortController();
      const begun = await fetch('http://books.service/begun', {
        dispatcher: patient,
        signal: reading.signal,
      });
      const text = begun.text();
      reading.abort();
      await expect(text).rejects.toMatchObject({ name: 'AbortError' });
      await eventually(() => closed.length === 3);
      expect(closed.sort()).toEqual(['/begun', '/late', '/waiting']);
    });

    it('follows a redirect to another path, which is another call', async () => {
      const { dispatcher } = await start([
        await listen((incoming, response) => {
          if (incoming.url === '/new') response.end('here');
          else response.writeHead(302, { location: '/new' }).end();
        }),
      ]);
      const response = await fetch('http://books.service/old', { dispatcher });
      expect([response.url, await response.text()]).toEqual(['http://books.service/new', 'here']);
    });

    it('streams a large response, at the pace of its reader', async () => {
      const { dispatcher } = await start([
        await listen((__, response) => response.end(Buffer.alloc(8 * 1024 * 1024, 'a'))),
      ]);
      const { body } = await fetch('http://books.service/', { dispatcher });
      let size = 0;
      for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
        size += chunk.length;
        if (size % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      expect(size).toBe(8 * 1024 * 1024);
    });

    it('sends requests for other hosts where they went before', async () => {
      const port = await listen(echo);
      const { dispatcher } = await start([]);
      expect((await fetch(`http://127.0.0.1:${port}/`, { dispatcher })).status).toBe(200);
      const mocked = new MockAgent();
      mocked.disableNetConnect();
      mocked.get('http://example.test').intercept({ path: '/' }).reply(200, 'mocked');
      const other = await start([port], { otherwise: mocked });
      const response = await undiciFetch('http://example.test/', { dispatcher: other.dispatcher });
      expect(await response.text()).toBe('mocked');
      await mocked.close();
    });
  });

  it('keeps no connection of a response that was to be replaced when the caller aborts', async () => {
    const broken: RequestListener = (_, response) => {
      response.writeHead(503).end(Buffer.alloc(3 * 1024 * 1024));
    };
    const { dispatcher, discovery } = await start(
      [await listen(broken), await listen(broken)],
      {},
      { maxConnections: 2 },
    );
    for (let n = 0; n < 12; n++) {
      const aborting = new AbortController();
      setTimeout(() => aborting.abort(), 5 + (n % 4));
      await fetch('http://books.service/', { dispatcher, signal: aborting.signal }).then(
        ({ body }) => body?.cancel(),
        () => undefined,
      );
    }
    await eventually(async () =>
      (await discovery.explain('books')).instances.every(({ calls }) => calls?.inFlight === 0),
    );
  });

  it('ends as undici does when a receiver throws, or aborts while it is paused', async () => {
    const { dispatcher } = await start([await listen((_, response) => response.end(Buffer.alloc(50_000)))]);
    const url = 'http://books.service/';
    const dumped = dispatcher.compose(interceptors.dump({ maxSize: 10 }));
    await expect(request(url, { dispatcher: dumped })).rejects.toThrow();
    await expect(
      stream(url, { dispatcher, method: 'GET' }, () => {
        throw new Error('not this one');
      }),
    ).rejects.toThrow('not this one');
    const aborting = new AbortController();
    const slow = new Writable({
      highWaterMark: 1,
      write: () => setTimeout(() => aborting.abort(new Error('enough')), 20),
    });
    slow.on('error', () => undefined);
    await expect(
      stream(url, { dispatcher, method: 'GET', signal: aborting.signal }, () => slow),
    ).rejects.toThrow('enough');
  });

  it('sends what can be read only once to one instance', async () => {
    const bodies: string[] = [];
    const refusing: RequestListener = (incoming, response) => {
      let body = '';
      incoming.on('data', (chunk: Buffer) => (body += chunk.toString()));
      incoming.on('end', () => {
        bodies.push(body);
        response.writeHead(503).end();
      });
    };
    const { dispatcher } = await start([await listen(refusing), await listen(refusing)]);
    const once = function* (): Generator<Buffer> {
      yield Buffer.from('AB');
    };
    const url = 'http://books.service/';
    expect((await request(url, { dispatcher, method: 'PUT', body: once() as never })).statusCode).toBe(503);
    expect(bodies).toEqual(['AB']);
    expect((await request(url, { dispatcher, method: 'PUT', body: 'CD' })).statusCode).toBe(503);
    expect(bodies).toEqual(['AB', 'CD', 'CD']);
  });

  it('refuses what would be without effect: a port, a user, https to an instance without TLS', async () => {
    const { dispatcher } = await start([await listen(echo)]);
    for (const url of ['http://books.service:81/', 'https://books.service/'])
      await expect(request(url, { dispatcher })).rejects.toThrow(/with a port or a user|does not speak TLS/);
    await expect(request('http://books.service/', { dispatcher, headers: ['x-a'] })).rejects.toThrow(
      'must be even',
    );
    let isClosed = false;
    dispatcher.close(() => (isClosed = true));
    await eventually(() => isClosed);
  });

  it('makes a fetch of its own', async () => {
    const { discovery } = await start([await listen(echo)]);
    const own = discoveryFetch(discovery, { timeout: '2s' });
    const response = await own('http://books.service/books', { method: 'POST', body: 'abc' });
    expect(await response.json()).toMatchObject({ method: 'POST', body: 'abc', url: '/books' });
  });

  it('serves request(), streams, forms, and what is composed of it', async () => {
    const { dispatcher } = await start([await listen(echo)]);
    const text = async (sending: Promise<Dispatcher.ResponseData>): Promise<string> =>
      (await sending).body.text();
    const url = 'http://books.service/';
    expect(await text(request(url, { dispatcher, headers: ['x-a', '1'] }))).toContain('"x-a":"1"');
    expect(await text(request(url, { dispatcher, headers: new Map([['x-a', '2']]) }))).toContain('"x-a":"2"');
    expect(
      await text(request(url, { dispatcher, method: 'POST', body: Readable.from(['ab', 'c']) })),
    ).toContain('"body":"abc"');
    const form = new FormData();
    form.set('a', 'b');
    expect(await text(request(url, { dispatcher, method: 'POST', body: form }))).toContain('name=\\"a\\"');
    const composed = dispatcher.compose(interceptors.retry());
    expect(await text(request(url, { dispatcher: composed }))).toContain('"method":"GET"');
    // An origin of one client of undici is another host.
    expect(dispatcher).not.toBeInstanceOf(Client);
  });

  it('takes an unread stream to the next instance, and no stream that was read', async () => {
    const reset = await listen((incoming) => {
      incoming.once('data', () => incoming.socket.resetAndDestroy());
    });
    const body = (): Readable => Readable.from(['abc']);
    const { dispatcher } = await start([...(await freePorts(2)), await listen(echo)]);
    for (let n = 0; n < 4; n++)
      expect(
        await (
          await request('http://books.service/', { dispatcher, method: 'PUT', body: body() })
        ).body.text(),
      ).toContain('"body":"abc"');
    const broken = await start([reset]);
    await expect(
      request('http://books.service/', { dispatcher: broken.dispatcher, method: 'PUT', body: body() }),
    ).rejects.toMatchObject({ call: { attempts: [{}] } });
  });

  it('upgrades a connection', async () => {
    const server = createServer();
    server.on('upgrade', (__, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n');
      socket.pipe(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanUps.push(async () => server.close());
    const { dispatcher } = await start([(server.address() as AddressInfo).port]);
    const { socket } = await upgrade('http://books.service/', { dispatcher, protocol: 'echo' });
    socket.write('hello');
    const [answer] = (await new Promise<Buffer[]>((resolve) =>
      socket.once('data', (data: Buffer) => resolve([data])),
    )) as [Buffer];
    expect(answer.toString()).toBe('hello');
    socket.destroy();
  });

  it('refuses wrong options, and what is no DiscoveryService of an app', async () => {
    const { discovery } = await start([]);
    expect(() => discoveryDispatcher(discovery, { timeot: 1 } as object)).toThrow(
      /discoveryDispatcher: 1 option is wrong\n {2}- timeot: unknown option/,
    );
    expect(() => discoveryDispatcher({} as DiscoveryService)).toThrow(
      /this is no DiscoveryService of an app/,
    );
  });
});
