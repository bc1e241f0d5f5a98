import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HttpModule, HttpService } from '@nestjs/axios';
import { Injectable } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { afterEach, describe, expect, it } from '@jest/globals';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';
import { ServiceClient } from '@rookery/discovery';
import { freePorts, thrownBy } from '@rookery/test-support';
import axios, { type AxiosError, type AxiosInstance } from 'axios';
import { firstValueFrom } from 'rxjs';
import { rootModule } from './test-app.js';

@Injectable()
class Shop {
  constructor(
    readonly http: HttpService,
    @ServiceClient('Books_2') readonly client: HttpService,
  ) {}
}

describe('service:// URLs on a plain HttpService', () => {
  const cleanUps: (() => unknown)[] = [];
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  const start = async (options: { baseURL?: string } | null = {}, dead = 0) => {
    const server = createServer((request, response) => {
      response.statusCode = request.url?.startsWith('/missing') ? 404 : 200;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ url: request.url, by: request.headers.authorization }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanUps.push(() => {
      server.closeAllConnections();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    const registry = new InMemoryRegistry();
    for (const each of [port, ...(await freePorts(dead))])
      registry.put({ service: 'Books_2', address: '127.0.0.1', port: each });
    const discovery = DiscoveryModule.forRootAsync({ useFactory: () => ({ registry }) });
    const app = await NestFactory.createApplicationContext(
      rootModule([discovery, options ? HttpModule.register(options) : HttpModule], { providers: [Shop] }),
      { logger: false, abortOnError: false },
    );
    cleanUps.push(() => app.close());
    const { http, client } = app.get(Shop);
    return { app, http, client, origin: `http://127.0.0.1:${port}` };
  };
  const dataOf = async (http: AxiosInstance, url: string): Promise<unknown> =>
    (await http.get<unknown>(url)).data;

  it('go to an instance of the service, also where others refuse', async () => {
    const { http } = await start({}, 2);
    for (let n = 0; n < 5; n++) {
      const response = await firstValueFrom(
        http.get<{ url: string }>('service://Books_2/books', {
          params: { q: 1 },
          headers: { authorization: 'x' },
        }),
      );
      expect(response.data).toEqual({ url: '/books?q=1', by: 'x' });
      expect(response.call?.service).toBe('Books_2');
      expect(response.config.url).toBe('service://Books_2/books');
    }
    expect(await dataOf(http.axiosRef, 'service://Books_2')).toMatchObject({ url: '/' });
  });

  it('may be the baseURL of the module; and URLs of other hosts go there', async () => {
    const { http, origin } = await start({ baseURL: 'service://Books_2/v1' });
    expect(await dataOf(http.axiosRef, '/books')).toMatchObject({ url: '/v1/books' });
    expect(await dataOf(http.axiosRef, `${origin}/books`)).toMatchObject({ url: '/books' });
  });

  it('fail as those of a service client do, with the config that can be sent again', async () => {
    const { http } = await start();
    const error = await http.axiosRef
      .get('service://Books_2/missing')
      .catch((thrown: unknown) => thrown as AxiosError);
    expect(error).toMatchObject({ response: { status: 404 }, call: { service: 'Books_2' } });
    expect((error as AxiosError).config?.url).toBe('service://Books_2/missing');
    await expect(http.axiosRef.get('service://none/')).rejects.toMatchObject({
      cause: { code: 'RK_NO_INSTANCES' },
    });
    for (const url of [
      'service:///books',
      'service://Books_2:80/books',
      'service://user@Books_2/',
      'service://a%zz/',
    ])
      await expect(http.axiosRef.get(url)).rejects.toMatchObject({
        code: 'ERR_INVALID_URL',
        message: expect.stringContaining('is not the URL of a service') as unknown,
      });
    const secret = await thrownBy(() => http.axiosRef.get('service://user:hunter2@Books_2/'));
    expect(secret.message).toContain('"service://(not shown)@Books_2/" is not the URL');
  });

  it('leave service clients as they are: another adapter would cost them their short way', async () => {
    const { client } = await start();
    expect(client.axiosRef.defaults.adapter).toBeInstanceOf(Function);
    expect(Symbol.for('rookery:service-urls') in (client.axiosRef.defaults.adapter as object)).toBe(false);
    expect((await client.axiosRef.get<unknown>('/books')).data).toMatchObject({ url: '/books' });
  });

  it('are those of each app, also where apps share the axios of the process, and end with it', async () => {
    const before = axios.defaults.adapter;
    const apps = [await start(null), await start(null)];
    const [first, second] = apps as [(typeof apps)[0], (typeof apps)[0]];
    expect(first.http.axiosRef).toBe(axios);
    expect(await dataOf(second.http.axiosRef, 'service://Books_2/a')).toMatchObject({ url: '/a' });
    await second.app.close();
    expect(await dataOf(first.http.axiosRef, 'service://Books_2/b')).toMatchObject({ url: '/b' });
    await first.app.close();
    expect(axios.defaults.adapter).toBe(before);
    const third = await start({});
    expect(await dataOf(third.http.axiosRef, 'service://Books_2/c')).toMatchObject({ url: '/c' });
  });

  it('leave an adapter of the user alone', async () => {
    const { http } = await start();
    const own = async (config: object) => ({ data: 'own', status: 200, statusText: '', headers: {}, config });
    const response = await http.axiosRef.get('http://example.test/', { adapter: own as never });
    expect(response.data).toBe('own');
  });
});
