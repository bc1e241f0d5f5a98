import { createReadStream } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { NestFactory } from '@nestjs/core';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { discoveryDispatcher, DiscoveryService, ServiceClientFactory } from '@rookery/discovery';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';
import type { AxiosInstance } from 'axios';
import { request, type Dispatcher } from 'undici';
import { rootModule } from './test-app.js';

const URL = 'http://peer.service/';
const missingFile = (): Readable => createReadStream('/no/such/file');
const breaking = (): Readable =>
  Readable.from(
    (async function* () {
      yield Buffer.from('begin');
      await new Promise((resolve) => setTimeout(resolve, 20));
      throw new Error('the source of the upload broke');
    })(),
  );

describe('F43 an upload whose own stream breaks', () => {
  let server: Server;
  let http: AxiosInstance;
  let dispatcher: Dispatcher;
  let discovery: DiscoveryService;
  let close: () => Promise<void>;

  beforeAll(async () => {
    server = createServer((incoming, response) => {
      incoming.on('error', () => undefined).resume();
      incoming.once('end', () => response.end('ok'));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const registry = new InMemoryRegistry();
    registry.put({ service: 'peer', address: '127.0.0.1', port: (server.address() as AddressInfo).port });
    const app = await NestFactory.createApplicationContext(
      rootModule([DiscoveryModule.forRootAsync({ useFactory: () => ({ registry }) })]),
      { logger: false, abortOnError: false },
    );
    close = () => app.close();
    discovery = app.get(DiscoveryService);
    dispatcher = discoveryDispatcher(discovery);
    http = app.get(ServiceClientFactory).create('peer').axiosRef;
  });
  afterAll(async () => {
    await close();
    server.closeAllConnections();
    server.close();
  });

  it.each<[string, (body: Readable) => Promise<unknown>]>([
    ['a client', (body) => http.put('/', body)],
    ["a client over axios's own transport", (body) => http.put('/', body, { insecureHTTPParser: false })],
    ['a dispatcher', (body) => request(URL, { dispatcher, method: 'PUT', body })],
  ])('by %s is no fault of the instance', async (_, send) => {
    expect((await http.get('/')).status).toBe(200);
    for (let n = 0; n < 3; n++)
      for (const body of [missingFile, breaking]) await expect(send(body())).rejects.toThrow();
    const [instance] = (await discovery.explain('peer')).instances;
    expect(instance?.calls).toMatchObject({ successRate: 1, inFlight: 0 });
    expect(instance?.calls?.latencyMs).toBeLessThan(1_000);
  });
});
