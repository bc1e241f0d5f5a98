import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';
import { HttpService } from '@nestjs/axios';
import { Controller, Get, HttpCode, Res, type INestApplication } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  DiscoveryService,
  LoadReporter,
  ServiceClientFactory,
  type LoadExposure,
  type ServicePolicy,
} from '@rookery/discovery';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';
import { eventually } from '@rookery/test-support';
import type { ServerResponse } from 'node:http';
import { PLATFORMS, rootModule, startApp } from './test-app.js';

const ASKING = { 'endpoint-load-metrics-format': 'TEXT' };

@Controller()
class Shop {
  isWaiting = false;
  readonly #waiting: (() => void)[] = [];

  @Get('books')
  books(): string[] {
    return ['Dune'];
  }

  @Get('slow')
  slow(): Promise<string> {
    return new Promise((resolve) => this.#waiting.push(() => resolve('at last')));
  }

  @Get('raw')
  raw(@Res() response: ServerResponse & { raw?: ServerResponse }): void {
    const raw = response.raw ?? response;
    raw.writeHead(202, { 'x-own': '1' });
    raw.write('a');
    raw.end('b');
  }

  @Get('nothing')
  @HttpCode(204)
  nothing(): void {
    return;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  release(): void {
    for (const end of this.#waiting.splice(0)) end();
  }
}

/** By the format as it is published, and not by our own reader: `TEXT name=value, name=value`. */
function read(header: string | null): Record<string, number> {
  const [, fields = ''] = /^TEXT (.+)$/.exec(String(header)) ?? [];
  return Object.fromEntries(
    fields.split(',').map((field) => {
      const [, name = '', value = ''] = /^\s*([a-z_.0-9]+)=(-?\d+(?:\.\d+)?)$/.exec(field) ?? [];
      return [name, Number(value)];
    }),
  );
}

describe('the load that a server reports', () => {
  const apps: INestApplication[] = [];
  const cleanUps: (() => unknown)[] = [];
  const start = async (loadReports?: LoadExposure, platform = PLATFORMS[0]) => {
    const registry = new InMemoryRegistry();
    const module = DiscoveryModule.forRootAsync({
      useFactory: () => ({ registry, ...(loadReports ? { loadReports } : {}) }),
    });
    const started = await startApp(rootModule([module], { controllers: [Shop] }), {
      ...(platform ? { platform } : {}),
    });
    apps.push(started.app);
    const ask = async (path: string, headers: Record<string, string> = ASKING): Promise<Headers> => {
      const response = await fetch(`${started.url}${path}`, { headers });
      await response.text();
      return response.headers;
    };
    return { ...started, ask };
  };
  const client = async (port: number, policy: ServicePolicy) => {
    const registry = new InMemoryRegistry();
    registry.put({ service: 'shop', id: 'shop-1', port });
    const module = DiscoveryModule.forRootAsync({ useFactory: () => ({ registry, clients: policy }) });
    const { app } = await startApp(rootModule([module]));
    apps.push(app);
    const http: HttpService = app.get(ServiceClientFactory).create('shop');
    return {
      app,
      http,
      calls: async () => (await app.get(DiscoveryService).explain('shop')).instances[0]?.calls,
    };
  };

  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0)) cleanUp();
    await Promise.all(apps.splice(0).map((app) => app.close()));
  });

  describe.each(PLATFORMS)('on %s', (platform) => {
    it('is in each response to a caller that asks, in the format of ORCA, with metrics of the app', async () => {
      const { app, ask } = await start(undefined, platform);
      app.get(LoadReporter).metric('render_queue', () => 7);
      for (const path of ['/books', '/raw', '/nothing', '/not-found']) {
        const header = (await ask(path)).get('endpoint-load-metrics');
        const fields = read(header);
        expect(fields).toMatchObject({ 'named_metrics.in_flight': 0, 'named_metrics.render_queue': 7 });
        for (const name of ['cpu_utilization', 'application_utilization', 'rps_fractional', 'eps'])
          expect(fields[name]).toBeGreaterThanOrEqual(0);
        for (const name of ['event_loop_utilization', 'queueing_delay_ms'])
          expect(fields[`named_metrics.${name}`]).toBeGreaterThanOrEqual(0);
        expect(String(header).length).toBeLessThan(2_000);
      }
      expect((await ask('/raw')).get('x-own')).toBe('1');
    });

    it('says what is under way when the response begins, without the call that it answers', async () => {
      const { app, ask } = await start(undefined, platform);
      const shop = app.get(Shop);
      const slow = [ask('/slow'), ask('/slow'), ask('/slow')];
      await eventually(() => shop.waiting === 3);
      expect(read((await ask('/books')).get('endpoint-load-metrics'))['named_metrics.in_flight']).toBe(3);
      shop.release();
      const told = (await Promise.all(slow)).map(
        (headers) => read(headers.get('endpoint-load-metrics'))['named_metrics.in_flight'],
      );
      expect(told.every((inFlight) => Number(inFlight) <= 2)).toBe(true);
      await eventually(
        async () => read((await ask('/books')).get('endpoint-load-metrics'))['named_metrics.in_flight'] === 0,
      );
    });
  });

  it('is told to no other caller: not without asking, in another format, through a proxy, or with the option off', async () => {
    const { ask } = await start();
    const without: Record<string, string>[] = [
      {},
      { 'endpoint-load-metrics-format': 'JSON' },
      { ...ASKING, 'x-forwarded-for': '203.0.113.7' },
      { ...ASKING, via: '1.1 edge' },
    ];
    for (const headers of without)
      expect((await ask('/books', headers)).get('endpoint-load-metrics')).toBeNull();
    const none = await start('none');
    expect((await none.ask('/books')).get('endpoint-load-metrics')).toBeNull();
    const all = await start('public');
    const proxied = await all.ask('/books', { ...ASKING, 'x-forwarded-for': '203.0.113.7' });
    expect(proxied.get('endpoint-load-metrics')).toMatch(/^TEXT /);
  });

  it('is asked for by clients with p2c-load only, and shown by explain', async () => {
    const asked: IncomingHttpHeaders[] = [];
    const report = 'TEXT application_utilization=0.5, rps_fractional=100, named_metrics.in_flight=4';
    const server = createServer((request, response) => {
      asked.push(request.headers);
      response.setHeader('endpoint-load-metrics', report).end('[]');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanUps.push(() => server.close().closeAllConnections());
    const { port } = server.address() as AddressInfo;

    const plain = await client(port, { strategy: 'p2c-ewma' });
    await plain.http.axiosRef.get('/');
    expect(asked.splice(0)[0]).not.toHaveProperty('endpoint-load-metrics-format');
    expect((await plain.calls())?.reported).toBeUndefined();

    const asking = await client(port, { strategy: 'p2c-load' });
    await asking.http.axiosRef.get('/');
    // Not again at once, and then with any kind of call.
    await Promise.all([asking.http.axiosRef.get('/'), asking.http.axiosRef.get('/')]);
    await eventually(async () => {
      const { data } = await asking.http.axiosRef.get<Readable>('/', { responseType: 'stream' });
      data.resume();
      return asked.at(-1)?.['endpoint-load-metrics-format'] === 'TEXT';
    });
    const formats = asked.splice(0).map((headers) => headers['endpoint-load-metrics-format']);
    expect(formats[0]).toBe('TEXT');
    expect(formats).toContain(undefined);
    expect(await asking.calls()).toMatchObject({
      reported: { inFlight: 4, averageInFlight: 4 },
    });
  });

  it('reaches a client from an app with Rookery, over real connections', async () => {
    const { port } = await start();
    const { http, calls } = await client(port, { strategy: 'p2c-load' });
    await eventually(async () => {
      await Promise.all(Array.from({ length: 20 }, () => http.axiosRef.get('/books')));
      return (await calls())?.reported !== undefined;
    });
    expect((await calls())?.reported?.averageInFlight).toBeGreaterThanOrEqual(0);
  });

  it('is asked for between calls with prequal, of servers that publish their readiness', async () => {
    const paths: string[] = [];
    const report = 'TEXT named_metrics.in_flight=4';
    const start = async (): Promise<number> => {
      const server = createServer((request, response) => {
        paths.push(String(request.url));
        if (request.headers['endpoint-load-metrics-format'] === 'TEXT')
          response.setHeader('endpoint-load-metrics', report);
        response.end('{}');
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      cleanUps.push(() => server.close().closeAllConnections());
      return (server.address() as AddressInfo).port;
    };
    const registry = new InMemoryRegistry();
    const meta = { 'rookery-ready': '/ready' };
    registry.put({ service: 'shop', id: 'shop-1', port: await start(), meta });
    registry.put({ service: 'shop', id: 'shop-2', port: await start(), meta });
    registry.put({ service: 'shop', id: 'shop-3', port: await start() });
    const module = DiscoveryModule.forRootAsync({
      useFactory: () => ({ registry, clients: { strategy: 'prequal', loadProbes: { perSecond: 50 } } }),
    });
    const { app } = await startApp(rootModule([module]));
    apps.push(app);
    await app.get(ServiceClientFactory).create('shop').axiosRef.get('/books');
    const reported = async () =>
      (await app.get(DiscoveryService).explain('shop')).instances.flatMap(({ id, calls }) =>
        calls?.reported ? [id] : [],
      );
    await eventually(async () => (await reported()).filter((id) => id !== 'shop-3').length === 2);
    expect(paths).toContain('/ready');
    expect(paths.filter((path) => path === '/books')).toHaveLength(1);
  });
});
