import { once } from 'node:events';
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough, type Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { NestFactory } from '@nestjs/core';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ServiceClientFactory } from '@rookery/discovery';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';
import { eventually, thrownBy } from '@rookery/test-support';
import axios, { type AxiosInstance, type AxiosRequestConfig } from 'axios';
import { rootModule } from './test-app.js';

/** An option that only axios's own transport knows. */
const OVER_AXIOS: AxiosRequestConfig = { onDownloadProgress: () => undefined };

describe.each([
  ['undici', {}],
  ["axios's own transport", OVER_AXIOS],
] as const)('a response over %s', (_, transport) => {
  const cleanUps: (() => unknown)[] = [];
  const uncaught: unknown[] = [];
  let server: Server;
  let http: AxiosInstance;
  let respond: RequestListener;
  let open: ServerResponse[];

  beforeEach(async () => {
    open = [];
    respond = (_request, response) => {
      response.write('begin');
      open.push(response);
    };
    server = createServer((...exchange) => respond(...exchange));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const registry = new InMemoryRegistry();
    registry.put({ service: 'peer', address: '127.0.0.1', port: (server.address() as AddressInfo).port });
    const clients = { retries: 1, ejection: { consecutiveFailures: 100 } };
    const app = await NestFactory.createApplicationContext(
      rootModule([DiscoveryModule.forRootAsync({ useFactory: () => ({ registry, clients }) })]),
      { logger: false, abortOnError: false },
    );
    http = app.get(ServiceClientFactory).create('peer').axiosRef;
    const note = (error: unknown): void => void uncaught.push(error);
    process.on('uncaughtException', note).on('unhandledRejection', note);
    cleanUps.push(
      () => server.closeAllConnections(),
      () => server.close(),
      () => app.close(),
      () => process.off('uncaughtException', note).off('unhandledRejection', note),
    );
  });
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
    expect(uncaught.splice(0)).toEqual([]);
  });

  const stream = async (config: AxiosRequestConfig = {}): Promise<Readable> =>
    (await http.get<Readable>('/', { ...transport, responseType: 'stream', ...config })).data;
  const connections = (): Promise<number> =>
    new Promise((resolve) => server.getConnections((_error, count) => resolve(count)));

  it.each([
    ['', {}],
    [', with a limit of its own', { maxContentLength: 1_000 }],
  ])('that breaks off ends no process where it is only piped, or not read yet%s', async (_name, config) => {
    const piped = await stream(config);
    piped.pipe(new PassThrough());
    const unread = await stream(config);
    const heard = await stream(config);
    const told = once(heard, 'error');
    heard.resume();
    server.closeAllConnections();
    await told;
    await eventually(() => piped.destroyed);
    // A reader that comes late gets the error, and not half of the response as if it were all.
    await expect(unread.toArray()).rejects.toThrow();
    await sleep(20);
  });

  it('that is dropped unread gives its connection back, with a limit of its own too', async () => {
    for (const maxContentLength of [-1, 10_000_000]) {
      respond = (_request, response) => response.end(Buffer.alloc(1_000_000));
      const dropped = await stream({ maxContentLength });
      dropped.destroy();
      await eventually(async () => (await connections()) === 0);
    }
  });

  it('that is refused and retried leaves no connection open', async () => {
    let asked = 0;
    respond = (_request, response) => {
      response.statusCode = ++asked === 1 ? 503 : 200;
      response.end(Buffer.alloc(asked === 1 ? 1_000_000 : 2));
    };
    const data = await stream({ maxContentLength: 10_000_000 });
    expect(Buffer.concat(await data.toArray())).toHaveLength(2);
    expect(asked).toBe(2);
    await eventually(async () => (await connections()) <= 1);
  });

  it('ends with the signal of its request, or its token, after its headers as well', async () => {
    const aborting = new AbortController();
    const token = axios.CancelToken.source();
    const streams = [await stream({ signal: aborting.signal }), await stream({ cancelToken: token.token })];
    const ended = streams.map((each) => thrownBy(() => each.toArray()));
    aborting.abort();
    token.cancel('enough');
    for (const error of await Promise.all(ended)) expect(error).toMatchObject({ code: 'ERR_CANCELED' });
    await eventually(async () => (await connections()) === 0);
  });

  it.each(['constructor', '__proto__', 'toString', 'GZIP'])(
    'whose encoding is called %s is read as it is, or decoded',
    async (encoding) => {
      respond = (_request, response) => {
        response.setHeader('content-encoding', encoding);
        response.end(encoding === 'GZIP' ? gzipSync('hello') : 'hello');
      };
      expect((await http.get('/', { ...transport })).data).toBe('hello');
      const bytes = await http.get<Buffer>('/', { ...transport, responseType: 'arraybuffer' });
      expect(bytes.data.toString()).toBe('hello');
      expect(Buffer.concat(await (await stream()).toArray()).toString()).toBe('hello');
    },
  );

  it('that is to be decoded into text of a kind that there is not fails the call', async () => {
    for (const encoding of [undefined, 'gzip']) {
      respond = (_request, response) => {
        if (encoding) response.setHeader('content-encoding', encoding);
        response.end(encoding ? gzipSync('hello') : 'hello');
      };
      const config = { ...transport, responseEncoding: 'nonsense' as 'utf8' };
      expect(String(await thrownBy(() => http.get('/', config)))).toMatch(/encoding/i);
    }
  });
});
