import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { Readable } from 'node:stream';
import { HttpService } from '@nestjs/axios';
import {
  Body,
  Controller,
  Get,
  Headers,
  HttpCode,
  Injectable,
  Param,
  Post,
  Query,
  Redirect,
  Res,
} from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  callReportOf,
  ConsulClient,
  ConsulModule,
  DiscoveryError,
  DiscoveryService,
  getServiceClientToken,
  ServiceClient,
} from '@rookery/consul';
import { startTestConsul, eventually, freePorts, type TestConsul } from '@rookery/test-support';
import { AxiosError, isAxiosError, isCancel } from 'axios';
import { firstValueFrom, of } from 'rxjs';
import { rootModule, startApp, type TestApp } from './test-app.js';

/** So that the order is predictable. */
const IN_TURN = { strategy: 'round-robin', outlierDetection: false } as const;

/** What the providers saw. */
const posts: string[] = [];
const closed: string[] = [];

@Controller()
class EchoController {
  @Get('echo/:id')
  echo(@Param('id') id: string, @Query() query: object, @Headers('x-test') header?: string) {
    return { id, query, header };
  }

  @Post('echo')
  @HttpCode(201)
  post(@Body() body: unknown, @Headers('content-type') type?: string) {
    return { body, type };
  }

  @Get('fails')
  fails(@Res() response: { statusCode: number; end(text: string): void }) {
    response.statusCode = 503;
    response.end('not now');
  }

  @Get('broken')
  broken() {
    throw new Error('broken');
  }

  @Get('slow')
  async slow() {
    return new Promise(() => undefined);
  }

  @Post('moved-away/:port')
  @HttpCode(303)
  movedAway(
    @Param('port') port: string,
    @Res() response: { setHeader(n: string, v: string): void; end(): void; statusCode: number },
  ) {
    posts.push(port);
    response.statusCode = 303;
    response.setHeader('location', `http://127.0.0.1:${port}/`);
    response.end();
  }

  @Get('endless')
  endless(@Res() response: { write(text: string): void; on(event: string, f: () => void): void }) {
    response.write('first');
    response.on('close', () => closed.push('endless'));
  }

  @Get('coding')
  coding(@Headers('accept-encoding') coding?: string) {
    return { coding };
  }

  @Get('moved')
  @Redirect('/echo/moved', 302)
  moved() {
    return undefined;
  }
}

@Injectable()
class Caller {
  @ServiceClient('echo') readonly byProperty!: HttpService;

  constructor(
    @ServiceClient('echo') readonly http: HttpService,
    @ServiceClient('echo', { attemptTimeout: '200ms' }) readonly hasty: HttpService,
    @ServiceClient('absent') readonly absent: HttpService,
  ) {}
}

describe('@ServiceClient with Consul', () => {
  let consul: TestConsul;
  const providers: TestApp[] = [];
  let consumer: TestApp;
  let caller: Caller;
  const failure = (call: Promise<unknown>): Promise<AxiosError> =>
    call.then(
      () => Promise.reject(new Error('it should have failed')),
      (error: unknown) => error as AxiosError,
    );

  beforeAll(async () => {
    consul = await startTestConsul();
    const agent = { url: consul.url };
    for (let n = 0; n < 3; n++) {
      const module = ConsulModule.forRoot({ agent, service: { name: 'echo' } });
      providers.push(await startApp(rootModule([module], { controllers: [EchoController] })));
    }
    consumer = await startApp(
      rootModule([ConsulModule.forRoot({ agent, clients: IN_TURN })], { providers: [Caller] }),
    );
    caller = consumer.app.get(Caller);
    const discovery = consumer.app.get(DiscoveryService);
    await eventually(async () => (await discovery.getInstances('echo')).length === 3);
  });
  afterAll(async () => {
    await Promise.all([consumer, ...providers].map(({ app }) => app.close()));
    await consul.stop();
  });

  it('calls all instances in turn, over HttpService and over axiosRef, by parameter and by property', async () => {
    const answered = new Map<string, number>();
    for (let n = 0; n < 30; n++) {
      const response =
        n % 2
          ? await caller.byProperty.axiosRef.get('/echo/1')
          : await firstValueFrom(caller.http.get('echo/1'));
      expect(response.call?.attempts).toHaveLength(1);
      const id = response.call?.attempts[0]?.instance ?? '';
      answered.set(id, (answered.get(id) ?? 0) + 1);
    }
    expect([...answered.values()]).toEqual([10, 10, 10]);
  });

  it('supports axios: params, headers, bodies, response types, redirects, interceptors, defaults', async () => {
    const { axiosRef } = caller.http;
    const get = await axiosRef.get('/echo/a%20b', {
      params: { q: 'x y', n: [1, 2] },
      headers: { 'X-Test': 'h' },
    });
    expect(get.data).toEqual({ id: 'a b', query: { q: 'x y', 'n[]': ['1', '2'] }, header: 'h' });
    expect(get.headers['content-type']).toMatch(/json/);
    expect((await axiosRef.post('/echo', { a: [1] })).data).toEqual({
      body: { a: [1] },
      type: 'application/json',
    });
    const form = await axiosRef.post('/echo', new URLSearchParams({ a: '1' }));
    expect(form.data).toMatchObject({
      body: { a: '1' },
      type: expect.stringContaining('urlencoded') as unknown,
    });
    expect((await axiosRef.post('/echo', Buffer.from('{"b":2}'), JSON_TYPE)).data).toMatchObject({
      body: { b: 2 },
    });
    expect((await axiosRef.post('/echo', Readable.from(['{"c":', '3}']), JSON_TYPE)).data).toMatchObject({
      body: { c: 3 },
    });
    expect((await axiosRef.get<Buffer>('/echo/1', { responseType: 'arraybuffer' })).data).toBeInstanceOf(
      Buffer,
    );
    expect(
      (await axiosRef.get<string>('/echo/1', { responseType: 'text', transformResponse: [] })).data,
    ).toMatch(/^{/);
    const stream = await axiosRef.get<Readable>('/echo/1', { responseType: 'stream' });
    expect(
      await stream.data.toArray().then((chunks) => Buffer.concat(chunks as Buffer[]).toString()),
    ).toContain('"id"');
    expect((await axiosRef.get('/moved')).data).toMatchObject({ id: 'moved' });
    expect((await axiosRef.get('/moved', { maxRedirects: 0, validateStatus: null })).status).toBe(302);
    const form2 = new FormData();
    form2.set('f', 'v'); // carried by axios's own transport
    expect((await axiosRef.post('/echo', form2)).data).toMatchObject({
      type: expect.stringContaining('multipart') as unknown,
    });
    expect(
      (await axiosRef.get('/echo/1', { headers: { 'Accept-Encoding': 'gzip' } })).call?.attempts,
    ).toHaveLength(1);
    const id = axiosRef.interceptors.request.use((config) => {
      config.headers.set('x-test', 'intercepted');
      return config;
    });
    expect((await axiosRef.get('/echo/1')).data).toMatchObject({ header: 'intercepted' });
    axiosRef.interceptors.request.eject(id);
    expect((await axiosRef.head('/echo/1')).status).toBe(200);
  });

  it('fails like axios, and reports every attempt', async () => {
    const { axiosRef } = caller.http;
    const refused = await failure(axiosRef.get('/fails'));
    expect(isAxiosError(refused)).toBe(true);
    expect(refused).toMatchObject({ code: 'ERR_BAD_RESPONSE', response: { status: 503, data: 'not now' } });
    // Idempotent, so that another instance was asked as well.
    expect(refused.call?.attempts.map(({ reason }) => reason)).toEqual(['status 503', 'status 503']);
    expect((await axiosRef.get('/fails', { validateStatus: () => true })).status).toBe(503);
    const missing = await failure(axiosRef.get('/nothing-here'));
    expect(missing).toMatchObject({ code: 'ERR_BAD_REQUEST', response: { status: 404 } });
    const late = await failure(axiosRef.get('/slow', { timeout: 150 }));
    expect(late).toMatchObject({ code: 'ECONNABORTED' });
    // The attempt has what is left of the call's time.
    expect(late.call?.attempts[0]?.reason).toMatch(/^no response in \d+ ms$/);
    expect((await failure(axiosRef.get('/slow', { call: { timeout: '120ms' } }))).code).toBe('ECONNABORTED');
    expect((await failure(caller.hasty.axiosRef.get('/slow'))).message).toMatch(/no response in 200 ms/);
    const large = await failure(axiosRef.get('/echo/1', { maxContentLength: 5 }));
    expect(large.message).toMatch(/maxContentLength size of 5 exceeded/);
    const absolute = await failure(axiosRef.get('http://elsewhere/books'));
    expect(absolute.message).toMatch(/"http:\/\/elsewhere\/books" is not relative to the service "echo"/);
    expect((await failure(axiosRef.get('//elsewhere/books'))).message).toMatch(/is not relative/);
    const secret = await failure(axiosRef.get('http://user:hunter2@elsewhere/books'));
    expect(secret.message).toMatch(/"http:\/\/\(not shown\)@elsewhere\/books" is not relative/);
    const absent = await failure(caller.absent.axiosRef.get('/'));
    expect(absent).toMatchObject({ code: 'RK_NO_INSTANCES' });
    expect(absent.cause).toBeInstanceOf(DiscoveryError);
  });

  it('shows an error in a few lines, with its attempts and without a header', async () => {
    const headers = { authorization: 'Bearer hush-hush' };
    const error = await failure(caller.absent.axiosRef.get('/books', { headers }));
    const shown = inspect(error);
    expect(shown.split('\n').length).toBeLessThan(25);
    expect(shown).toMatch(/request: GET \/books of "absent", code RK_NO_INSTANCES/);
    expect(shown).not.toContain('hush-hush');
    const refused = await failure(caller.hasty.axiosRef.get('/slow'));
    expect(inspect(refused)).toMatch(/attempt: .* no response in \d+ ms after \d+ ms/);
  });

  it('ends with a signal, and when an observable is unsubscribed', async () => {
    const aborting = new AbortController();
    const call = failure(caller.http.axiosRef.get('/slow', { signal: aborting.signal }));
    setTimeout(() => aborting.abort(), 50);
    expect(isCancel(await call)).toBe(true);
    expect(isCancel(await failure(caller.http.axiosRef.get('/slow', { signal: AbortSignal.abort() })))).toBe(
      true,
    );
    let isNotified = false;
    const subscription = caller.http
      .get('/slow')
      .subscribe({ next: () => (isNotified = true), error: () => (isNotified = true) });
    await new Promise((resolve) => setTimeout(resolve, 30));
    subscription.unsubscribe();
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(isNotified).toBe(false);
    const streaming = new AbortController();
    const options = { responseType: 'stream', signal: streaming.signal } as const;
    const { data } = await caller.http.axiosRef.get<Readable>('/endless', options);
    data.on('error', () => undefined);
    streaming.abort();
    await eventually(() => data.destroyed && closed.includes('endless'));
  });

  it('retries what was not sent on the next instance, a POST too', async () => {
    const [dead = 0] = await freePorts(1);
    // An instance that the registry lists as passing, with nothing behind its port.
    await consul.request('PUT', '/v1/agent/service/register', { ID: 'echo-dead', Name: 'echo', Port: dead });
    const discovery = consumer.app.get(DiscoveryService);
    await eventually(async () => (await discovery.getInstances('echo')).length === 4);
    let retried = 0;
    for (let n = 0; n < 20; n++) {
      const { call } = await caller.http.axiosRef.post('/echo', { n });
      retried += (call?.attempts.length ?? 0) - 1;
      expect(call?.attempts.at(-1)?.reason).toBeUndefined();
    }
    // One call in four goes to the dead instance first; a retry does not advance the round robin.
    // A list that comes in between begins the round anew.
    expect([4, 5]).toContain(retried);
    await consul.request('PUT', '/v1/agent/service/deregister/echo-dead');
    await eventually(async () => (await discovery.getInstances('echo')).length === 3);
  });

  it.each(['undici', 'axios'])(
    'follows no redirect to another host, unless it may (%s)',
    async (transport) => {
      let requests = 0;
      const other = createServer((_, response) => {
        requests++;
        response.end('here');
      });
      await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
      const { port } = other.address() as AddressInfo;
      const headers = { authorization: 'Bearer abc', ...(transport === 'axios' ? { te: 'trailers' } : {}) };
      const error = await failure(caller.http.axiosRef.post(`/moved-away/${port}`, {}, { headers }));
      expect(error.code).toBe('ERR_REDIRECT_REFUSED');
      expect(error.message).toContain(`redirects to http://127.0.0.1:${port}`);
      expect(error.call?.attempts).toHaveLength(1);
      expect(requests).toBe(0);
      const call = { redirects: 'any' } as const;
      const allowed = await caller.http.axiosRef.post(`/moved-away/${port}`, {}, { headers, call });
      expect(allowed.data).toBe('here');
      expect(requests).toBe(1);
      other.close();
    },
  );

  it.each(['undici', 'axios'])(
    'sends a POST once when the target of its redirect failed (%s)',
    async (transport) => {
      const [dead = 0] = await freePorts(1);
      posts.length = 0;
      const headers = transport === 'axios' ? { te: 'trailers' } : {};
      const error = await failure(
        caller.http.axiosRef.post(
          `/moved-away/${dead}`,
          { once: true },
          { headers, call: { redirects: 'any' } },
        ),
      );
      expect(error.call?.attempts).toHaveLength(1);
      expect(posts).toEqual([String(dead)]);
    },
  );

  it('fails on a status with every transport, and reports the original request', async () => {
    const { axiosRef } = caller.http;
    const form = new FormData();
    form.set('a', 'b');
    const viaAxios = await failure(axiosRef.post('/nothing-here', form, { params: { x: 1 } }));
    expect(viaAxios).toMatchObject({ code: 'ERR_BAD_REQUEST', response: { status: 404 } });
    expect(viaAxios.config).toMatchObject({ url: '/nothing-here', params: { x: 1 } });
    const fine = await axiosRef.post('/echo', form);
    expect(fine.config.url).toBe('/echo');
    expect(fine.config.validateStatus?.(500)).toBe(false);
  });

  it('accepts only codings that it can decode, and keeps the round-robin state of different queries apart', async () => {
    expect((await caller.http.axiosRef.get<{ coding: string }>('/coding')).data.coding).toBe('identity');
    const count = { plain: new Set<string>(), other: new Set<string>() };
    for (let n = 0; n < 12; n++) {
      const plain = await caller.http.axiosRef.get('/echo/1');
      const other = await caller.http.axiosRef.get('/echo/1', { call: { query: { tags: [] } } });
      count.plain.add(plain.call?.attempts[0]?.instance ?? '');
      count.other.add(other.call?.attempts[0]?.instance ?? '');
    }
    expect([count.plain.size, count.other.size]).toEqual([3, 3]);
  });

  it('uses a fallback for a status of 500 and more, and not for an answer to the caller', async () => {
    const { axiosRef } = caller.http;
    const fallback = ({ code, response }: AxiosError): unknown => ({ code, status: response?.status });
    const failed = await axiosRef.get('/broken', { call: { fallback } });
    expect(failed).toMatchObject({
      status: 200,
      statusText: 'fallback',
      data: { code: 'ERR_BAD_RESPONSE', status: 500 },
    });
    const absent = await failure(axiosRef.get('/no-such-path', { call: { fallback } }));
    expect(absent.response?.status).toBe(404);
  });

  it('has error.call also without an attempt, and names the options of a request', async () => {
    const none = await failure(caller.absent.axiosRef.get('/'));
    expect(none.call).toEqual({ service: 'absent', attempts: [] });
    expect(callReportOf(none)).toBe(none.call);
    expect([new Error('another'), undefined].map(callReportOf)).toEqual([undefined, undefined]);
    const misspelt = { timeot: '3s' } as object;
    const wrong = await failure(caller.http.axiosRef.get('/echo/1', { call: misspelt }));
    expect(wrong.message).toMatch(/call.timeot: unknown option. Known here: .*fallback.*maxContentLength/);
  });

  it('refuses an order by distance, which calls would not keep', async () => {
    const hint = /query\.near: is for getInstances and watch only; for calls set service\.zone/;
    const call = caller.http.axiosRef.get('/echo/1', { call: { query: { near: '_agent' } } });
    await expect(call).rejects.toThrow(hint);
    expect(() => ServiceClient('echo', { query: { near: '_agent' } })).toThrow(
      /query\.near.*is for getInstances/,
    );
  });

  it('sends Consul no request on the call path', async () => {
    const { axiosRef } = caller.http;
    await axiosRef.get('/echo/1');
    // Frozen: any request to it would hang.
    consul.pause();
    try {
      const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => axiosRef.get(`/echo/${n}`)));
      expect(answers.every(({ status }) => status === 200)).toBe(true);
    } finally {
      consul.resume();
    }
    const client = consumer.app.get(ConsulClient);
    expect((await client.health.service('echo')).body).toHaveLength(3);
  });

  it('can be replaced in a test by its token, and needs no provider', async () => {
    const module = await Test.createTestingModule({
      imports: [ConsulModule.forRoot({ agent: { url: consul.url } })],
      providers: [Caller],
    })
      .overrideProvider(getServiceClientToken('echo'))
      .useValue({ get: () => of({ data: 'replaced' }) })
      .compile();
    const replaced = module.get(Caller);
    expect(await firstValueFrom(replaced.http.get('/x'))).toEqual({ data: 'replaced' });
    expect(replaced.byProperty).toBe(replaced.http);
    expect(replaced.absent).toBeInstanceOf(HttpService);
    await module.close();
  });

  it('says where it can be used', () => {
    const decorate = ServiceClient('x');
    expect(() => decorate(class {})).toThrow(/no method has @Get, .* of "@rookery\/consul\/client"/);
    expect(() => decorate({}, 'method', 0)).toThrow(/a parameter of the method method/);
    expect(() => ServiceClient(' ')).toThrow(/is not a service name\. Name the service as it is registered/);
  });
});

const JSON_TYPE = { headers: { 'content-type': 'application/json' } };
