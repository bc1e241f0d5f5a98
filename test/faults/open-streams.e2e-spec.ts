import { once } from 'node:events';
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';
import { NestFactory } from '@nestjs/core';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type ClientsOptions, DiscoveryEvents, ServiceClientFactory } from '@rookery/discovery';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';
import { figure } from '@rookery/test-support';
import type { AxiosError, AxiosInstance } from 'axios';
import { rootModule } from '../e2e/test-app.js';

/** As many as there are connections to an instance. */
const STREAMS = 64;
/** Of requests that are no part of what is measured. */
const PATIENT = { timeout: '10s', attemptTimeout: '10s' } as const;

describe('F58 response streams that are not read', () => {
  const cleanUps: (() => Promise<unknown>)[] = [];
  const open: ServerResponse[] = [];
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
    open.length = 0;
  });

  const streaming: RequestListener = ({ url }, response) => {
    if (url !== '/stream') return void response.end('{"ok":true}');
    response.write('begin');
    open.push(response);
  };

  const startClient = async (
    instances: number,
    clients: ClientsOptions,
  ): Promise<{ http: AxiosInstance; ejections: unknown[] }> => {
    const registry = new InMemoryRegistry();
    for (let n = 0; n < instances; n++) {
      const server = createServer(streaming);
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      cleanUps.push(async () => {
        server.closeAllConnections();
        server.close();
      });
      registry.put({ service: 'peer', address: '127.0.0.1', port: (server.address() as AddressInfo).port });
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
  /** One after the other, so that each one is load for the pick of the next. */
  const openStreams = async (
    http: AxiosInstance,
  ): Promise<{ data: Readable; instance: string | undefined }[]> => {
    const streams: { data: Readable; instance: string | undefined }[] = [];
    for (let n = 0; n < STREAMS; n++) {
      const { data, call } = await http.get<Readable>('/stream', { responseType: 'stream', call: PATIENT });
      streams.push({ data: data.on('error', () => undefined), instance: call?.attempts.at(-1)?.instance });
    }
    return streams;
  };

  it('are load of their instance: other calls go elsewhere', async () => {
    const { http, ejections } = await startClient(2, { strategy: 'least-requests' });
    const streams = await openStreams(http);
    const [{ instance: free } = { instance: '' }] = streams;
    const left = streams.filter(({ instance }) => instance !== free);
    for (const { data, instance } of streams) if (instance === free) await once(data.destroy(), 'close');
    expect(left.length).toBeGreaterThan(STREAMS / 4);
    for (let n = 0; n < 40; n++)
      expect((await http.get('/')).call?.attempts.map(({ instance }) => instance)).toEqual([free]);
    figure(
      'F58',
      `${left.length} open streams on one of two instances: 40 of 40 other calls went to the other`,
    );
    expect(ejections).toEqual([]);
    for (const { data } of left) data.destroy();
  });

  it('that have all connections to the only instance fail a call with the reason, and the instance is not blamed', async () => {
    const { http, ejections } = await startClient(1, { timeout: '400ms', attemptTimeout: '200ms' });
    const streams = await openStreams(http);
    for (let n = 0; n < 6; n++) {
      const error = await http.get('/').then(
        () => undefined,
        (failure: unknown) => failure as AxiosError,
      );
      expect(error?.message).toContain('all connections to it are in use');
    }
    expect(ejections).toEqual([]);
    for (const response of open) response.end();
    for (const { data } of streams) data.resume();
    expect((await http.get('/', { call: PATIENT })).status).toBe(200);
  });

  it('leave connections to other calls where maxConnections allows more of them', async () => {
    const { http } = await startClient(1, { maxConnections: STREAMS + 1, timeout: '5s' });
    const streams = await openStreams(http);
    expect((await http.get('/')).status).toBe(200);
    for (const { data } of streams) data.destroy();
  });

  it('are as many as maxConnections says, and no more', async () => {
    const { http } = await startClient(1, { maxConnections: 1, timeout: '400ms', attemptTimeout: '200ms' });
    const { data } = await http.get<Readable>('/stream', { responseType: 'stream', call: PATIENT });
    await expect(http.get('/')).rejects.toThrow('all connections to it are in use');
    data.on('error', () => undefined).destroy();
  });
});
