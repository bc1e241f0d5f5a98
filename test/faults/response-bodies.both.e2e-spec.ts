import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { NestFactory } from '@nestjs/core';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type ClientsOptions, DiscoveryEvents, ServiceClientFactory } from '@rookery/discovery';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';
import { eventually, figure } from '@rookery/test-support';
import type { AxiosError, AxiosInstance } from 'axios';
import { rootModule } from '../e2e/test-app.js';

const MIB = 1024 * 1024;
/** What axios's own transport carries is decided by the request. */
const TRANSPORTS = [
  ['undici', {}],
  ['axios', { te: 'trailers' }],
] as const;

describe('F52 bodies without an end, too large or stalled', () => {
  const cleanUps: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  const serve = async (listener: RequestListener): Promise<string> => {
    const server: Server = createServer(listener);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanUps.push(async () => {
      server.closeAllConnections();
      server.close();
    });
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  };

  const startClient = async (
    addresses: string[],
    clients: ClientsOptions = {},
  ): Promise<{ http: AxiosInstance; ejections: unknown[] }> => {
    const registry = new InMemoryRegistry();
    for (const address of addresses) {
      const [host = '', port] = address.split(':');
      registry.put({ service: 'peer', address: host, port: Number(port) });
    }
    const app = await NestFactory.createApplicationContext(
      rootModule([DiscoveryModule.forRootAsync({ useFactory: () => ({ registry, clients }) })]),
      { logger: false, abortOnError: false },
    );
    cleanUps.push(() => app.close());
    const ejections: unknown[] = [];
    app.get(DiscoveryEvents).events$.subscribe((event) => {
      if (event.type === 'instance.ejected') ejections.push(event);
    });
    return { http: app.get(ServiceClientFactory).create('peer').axiosRef, ejections };
  };

  /** Writes for as long as the client reads. */
  const endless =
    (onWritten: (bytes: number) => void): RequestListener =>
    (_, response) => {
      const chunk = Buffer.alloc(256 * 1024, ' ');
      const write = (): void => {
        if (response.destroyed) return;
        onWritten(chunk.length);
        if (response.write(chunk)) setImmediate(write);
        else response.once('drain', write);
      };
      write();
    };

  it.each(TRANSPORTS)('a body without an end over %s is cut off at the limit', async (transport, headers) => {
    let written = 0;
    const { http } = await startClient([await serve(endless((bytes) => (written += bytes)))], {
      timeout: '60s',
      attemptTimeout: '60s',
      retries: 0,
    });
    const error = await failure(http.get('/', { headers }));
    expect(error.code).toBe('ERR_BAD_RESPONSE');
    expect(error.message).toContain('maxContentLength');
    const read = Math.round(written / MIB);
    figure('F52', `${transport}: a body without an end cut off after ${read} MiB`);
    expect(written).toBeGreaterThan(64 * MIB);
    expect(written).toBeLessThan(96 * MIB);
  });

  it('an instance whose bodies have no end is ejected, and no GET fails', async () => {
    const good: RequestListener = (_, response) => void response.end('{}');
    const bad = endless(() => undefined);
    const { http, ejections } = await startClient([await serve(good), await serve(good), await serve(bad)], {
      maxContentLength: MIB,
      strategy: 'round-robin',
    });
    for (let n = 0; n < 40; n++) expect((await http.get('/')).status).toBe(200);
    expect(ejections).toHaveLength(1);
  });

  it('a body that says that it is too large is not read, and says nothing about its instance', async () => {
    let closed = 0;
    const large: RequestListener = ({ method }, response) => {
      response.writeHead(200, { 'content-length': 10 * MIB });
      if (method === 'HEAD') return void response.end();
      response.write('begin');
      response.once('close', () => closed++);
    };
    const { http, ejections } = await startClient([await serve(large), await serve(large)], {
      services: { peer: { maxContentLength: MIB } },
    });
    for (let n = 0; n < 12; n++)
      expect((await failure(http.get('/'))).message).toBe(`maxContentLength size of ${MIB} exceeded`);
    await eventually(() => closed === 12);
    expect(ejections).toEqual([]);
    // A response to HEAD has the length of the one to GET, and no body.
    expect((await http.head('/')).headers['content-length']).toBe(String(10 * MIB));
  });

  it('the limit of a request, a client and -1 for none', async () => {
    const body = 'x'.repeat(3_000);
    const address = await serve((_, response) => void response.end(body));
    const { http } = await startClient([address], { maxContentLength: 1_000 });
    expect((await failure(http.get('/'))).message).toContain('1000');
    expect((await http.get('/', { maxContentLength: 5_000 })).data).toBe(body);
    expect((await http.get('/', { call: { maxContentLength: -1 } })).data).toBe(body);
  });

  it('a gzip bomb is cut off at the limit', async () => {
    const bomb = gzipSync(Buffer.alloc(300 * MIB));
    const address = await serve((_, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': bomb.length }).end(bomb);
    });
    const { http } = await startClient([address], { timeout: '60s', attemptTimeout: '60s' });
    const before = process.memoryUsage().arrayBuffers;
    let peak = 0;
    const sampling = setInterval(() => (peak = Math.max(peak, process.memoryUsage().arrayBuffers)), 5);
    const error = await failure(http.get('/', { headers: { 'accept-encoding': 'gzip' } }));
    clearInterval(sampling);
    expect(error.message).toContain('maxContentLength');
    const grown = Math.round((peak - before) / MIB);
    figure('F52', `a bomb of ${Math.round(bomb.length / 1024)} KiB for 300 MiB took ${grown} MiB of buffers`);
    expect(grown).toBeLessThan(200);
  });

  describe.each(TRANSPORTS)('a stream over %s', (_, headers) => {
    const options = { responseType: 'stream', headers } as const;

    it('that stalls ends with an error that names the limit', async () => {
      const address = await serve((_request, response) => void response.write('begin'));
      const { http } = await startClient([address], { streamIdleTimeout: '300ms' });
      const { data } = await http.get<Readable>('/', options);
      const error = await failure(read(data));
      expect(error.message).toBe('no data of the response in 300 ms (streamIdleTimeout)');
    });

    it('that is read slowly, or whose data comes slowly, is not interrupted', async () => {
      const address = await serve((_request, response) => {
        response.write(Buffer.alloc(4 * MIB));
        let more = 5;
        const timer = setInterval(() => {
          response.write('tick');
          if (more-- > 0) return;
          clearInterval(timer);
          response.end('end');
        }, 150);
      });
      const { http } = await startClient([address], { streamIdleTimeout: '400ms' });
      const { data } = await http.get<Readable>('/', options);
      await sleep(1_300);
      expect((await read(data)).subarray(-3).toString()).toBe('end');
    });

    it('that is not read does not end the process', async () => {
      let isClosed = false;
      const address = await serve((request: IncomingMessage, response) => {
        response.write('begin');
        request.socket.once('close', () => (isClosed = true));
      });
      const { http } = await startClient([address], { streamIdleTimeout: '200ms' });
      const { data } = await http.get<Readable>('/', options);
      await eventually(() => isClosed);
      expect(data.destroyed).toBe(true);
    });
  });
});

async function failure(work: Promise<unknown>): Promise<AxiosError> {
  return work.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: unknown) => error as AxiosError,
  );
}

async function read(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}
