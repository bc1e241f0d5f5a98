import { createServer, request as httpRequest, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import httpProxy from '@fastify/http-proxy';
import { Body, Controller, Get, Headers, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterEach, beforeAll, afterAll, describe, expect, it } from '@jest/globals';
import {
  ConsulModule,
  DiscoveryEvents,
  DiscoveryService,
  RegistrationService,
  ServiceClientFactory,
  type ConsulModuleOptions,
} from '@rookery/consul';
import { eventually, figure, startTestConsul, type TestConsul } from '@rookery/test-support';
import axios, { type AxiosRequestConfig } from 'axios';
import { createProxyMiddleware } from 'http-proxy-middleware';
import { createApp, PLATFORMS, rootModule, startApp, type Platform } from '../e2e/test-app.js';

@Controller('orders')
class OrdersController {
  @Get()
  read(@Headers() headers: IncomingHttpHeaders): IncomingHttpHeaders {
    return headers;
  }

  @Post()
  create(@Headers() headers: IncomingHttpHeaders, @Body() body: unknown): unknown {
    return { headers, body };
  }
}

describe('calls that come through a proxy', () => {
  let consul: TestConsul;
  const cleanUps: (() => Promise<unknown>)[] = [];
  beforeAll(async () => {
    consul = await startTestConsul();
  });
  afterAll(() => consul.stop());
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  const options = (service: ConsulModuleOptions['service']): ConsulModuleOptions => ({
    agent: { url: consul.url },
    ...(service ? { service } : {}),
    shutdown: { drainTimeout: 0 },
  });

  const startOrders = async (platform: Platform = 'express'): Promise<string> => {
    const module = rootModule([ConsulModule.forRoot(options({ name: 'orders' }))], {
      controllers: [OrdersController],
    });
    const { app, url } = await startApp(module, { platform });
    cleanUps.push(() => app.close());
    return url;
  };

  /** An app that forwards everything below `/orders`, by a proxy that was mounted before any module. */
  const startGateway: Record<Platform, (target: string) => Promise<void>> = {
    express: async (target) => {
      const { app } = await createApp(rootModule([ConsulModule.forRoot(options({ name: 'gateway' }))]));
      app.use('/orders', createProxyMiddleware({ target: `${target}/orders` }));
      await app.listen(0);
      cleanUps.push(() => app.close());
      await app.get(RegistrationService).whenRegistered();
    },
    fastify: async (target) => {
      const module = rootModule([ConsulModule.forRoot(options({ name: 'gateway' }))]);
      const app = await NestFactory.create<NestFastifyApplication>(module, new FastifyAdapter(), {
        logger: false,
      });
      await app.register(httpProxy, { upstream: target, prefix: '/orders', rewritePrefix: '/orders' });
      await app.listen(0);
      cleanUps.push(() => app.close());
      await app.get(RegistrationService).whenRegistered();
    },
  };

  const startCaller = async (service: string) => {
    const { app } = await createApp(rootModule([ConsulModule.forRoot(options(undefined))]));
    await app.init();
    cleanUps.push(() => app.close());
    const ejections: unknown[] = [];
    app.get(DiscoveryEvents).events$.subscribe((event) => {
      if (event.type === 'instance.ejected') ejections.push(event);
    });
    await eventually(async () => (await app.get(DiscoveryService).getInstances(service)).length > 0);
    return { http: app.get(ServiceClientFactory).create(service).axiosRef, ejections };
  };

  it.each(PLATFORMS)(
    'F45 a gateway on %s: nothing is refused, and no instance is ejected',
    async (platform) => {
      await startGateway[platform](await startOrders());
      const { http, ejections } = await startCaller('gateway');
      for (let n = 0; n < 10; n++) {
        const { status, data, call } = await http.get<IncomingHttpHeaders>('/orders');
        expect([status, call?.attempts.length]).toEqual([200, 1]);
        expect(data).not.toHaveProperty('rookery-service');
        expect((await http.post('/orders', { n })).data).toMatchObject({ body: { n } });
      }
      expect(ejections).toEqual([]);
    },
  );

  it.each(PLATFORMS)(
    'F45 a reverse proxy at the registered address, before apps of several names on %s',
    async (platform) => {
      const target = await startOrders(platform);
      const proxy = createServer((incoming, outgoing) => {
        // As nginx does by default: all headers, with the host of the target.
        const headers = { ...incoming.headers, host: new URL(target).host };
        const onward = httpRequest(target + (incoming.url ?? '/'), { method: incoming.method, headers });
        onward.on('response', (response) => {
          outgoing.writeHead(response.statusCode ?? 500, response.headers);
          response.pipe(outgoing);
        });
        incoming.pipe(onward);
      });
      const port = await listen(proxy);
      const { app } = await startApp(
        rootModule([ConsulModule.forRoot(options({ name: 'edge', address: '127.0.0.1', port }))]),
      );
      cleanUps.push(() => app.close());
      await app.get(RegistrationService).whenRegistered();
      const { http, ejections } = await startCaller('edge');
      for (let n = 0; n < 10; n++) expect((await http.get('/orders')).status).toBe(200);
      expect(ejections).toEqual([]);
    },
  );

  it('F45 a service whose name is not ASCII is called, and warned about once', async () => {
    const module = rootModule([ConsulModule.forRoot(options({ name: 'книги' }))], {
      controllers: [OrdersController],
    });
    const { app, logger } = await startApp(module);
    cleanUps.push(() => app.close());
    await app.get(RegistrationService).whenRegistered();
    const { http } = await startCaller('книги');
    expect((await http.get('/orders')).status).toBe(200);
    expect(logger.matching(/warn .*"книги".*DNS/)).toHaveLength(1);
  });

  it('F45 every header of a gateway that hands on its own request is sent, as by axios', async () => {
    const seen: IncomingHttpHeaders[] = [];
    const server = createServer((request, response) => {
      seen.push(request.headers);
      request.resume().on('end', () => response.end('{}'));
    });
    const port = await listen(server);
    await consul.request('PUT', '/v1/agent/service/register', { ID: 'plain', Name: 'plain', Port: port });
    const { http } = await startCaller('plain');
    const requests: AxiosRequestConfig[] = [
      { headers: { connection: 'close' } },
      { headers: { connection: 'keep-alive', 'keep-alive': 'timeout=5', te: 'trailers' } },
      {
        headers: {
          'x-forwarded-for': '10.0.0.1',
          forwarded: 'for=10.0.0.1',
          via: '1.1 gateway',
          cookie: 'a=1',
        },
      },
      { method: 'post', data: 'text', headers: { expect: '100-continue', 'content-type': 'text/plain' } },
      { headers: { upgrade: 'h2c' } },
      { headers: { host: 'gateway.example', 'proxy-authorization': 'Basic eA==' } },
    ];
    for (const config of requests) {
      await axios.request({ ...config, url: `http://127.0.0.1:${port}/` });
      await http.request({ ...config, url: '/' });
    }
    const stream = (): Readable => Readable.from([Buffer.from('12345')]);
    for (const framing of [{ 'content-length': '5' }, { 'transfer-encoding': 'chunked' }]) {
      const upload = { method: 'put', headers: framing, maxRedirects: 0 };
      await axios.request({ ...upload, data: stream(), url: `http://127.0.0.1:${port}/` });
      await http.request({ ...upload, data: stream(), url: '/' });
    }
    for (let n = 0; n < seen.length; n += 2) expect(comparable(seen[n + 1])).toEqual(comparable(seen[n]));
    figure('F45', `${seen.length / 2} requests with hop-by-hop headers sent as by axios`);
  });

  async function listen(server: Server): Promise<number> {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanUps.push(async () => {
      server.closeAllConnections();
      server.close();
    });
    return (server.address() as AddressInfo).port;
  }
});

/** Without what differs on purpose: our own header, and the compression and the connection that each client asks for. */
function comparable(headers: IncomingHttpHeaders = {}): IncomingHttpHeaders {
  const { 'rookery-timeout': _, 'accept-encoding': __, ...rest } = headers;
  return rest;
}
