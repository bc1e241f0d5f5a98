import { All, Controller, Req } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type AgentService,
  ConsulClient,
  ConsulError,
  ConsulModule,
  type ConsulModuleOptions,
  type HealthCheck,
  type ServiceOptions,
} from '@rookery/consul';
import { startTestConsul, eventually, type TestConsul } from '@rookery/test-support';
import { createApp, rootModule, startApp } from './test-app.js';

/**
 * Every wrong registration that Consul 1.8.7 was measured to refuse or to accept silently: Consul's status, and the
 * option that Rookery refuses before anything is sent.
 */
const wrong: [what: string, body: object, consul: number | 'accepts', ours: ServiceOptions | object][] = [
  ['no name', { Name: '' }, 400, { name: '' }],
  ['a port as text', { Name: 'x', Port: '80' }, 400, { port: '80' }],
  ['half a port', { Name: 'x', Port: 80.5 }, 400, { port: 80.5 }],
  ['a negative port', { Name: 'x', Port: -1 }, 'accepts', { port: -1 }],
  ['a port of 70000', { Name: 'x', Port: 70_000 }, 'accepts', { port: 70_000 }],
  ['the address of all interfaces', { Name: 'x', Address: '0.0.0.0' }, 400, { address: '0.0.0.0' }],
  ['the same in IPv6', { Name: 'x', Address: '[::]' }, 400, { address: '[::]' }],
  ['65 entries of meta', { Name: 'x', Meta: many(65) }, 400, { meta: many(65) }],
  [
    'a long key of meta',
    { Name: 'x', Meta: { ['k'.repeat(129)]: '' } },
    400,
    { meta: { ['k'.repeat(129)]: '' } },
  ],
  [
    'a long value of meta',
    { Name: 'x', Meta: { k: 'v'.repeat(513) } },
    400,
    { meta: { k: 'v'.repeat(513) } },
  ],
  ['a key of meta with a dot', { Name: 'x', Meta: { 'a.b': '' } }, 400, { meta: { 'a.b': '' } }],
  ['an empty key of meta', { Name: 'x', Meta: { '': '' } }, 400, { meta: { '': '' } }],
  ['a reserved key of meta', { Name: 'x', Meta: { 'consul-a': '' } }, 400, { meta: { 'consul-a': '' } }],
  [
    'weights of 0',
    { Name: 'x', Weights: { Passing: 0, Warning: 0 } },
    400,
    { weights: { passing: 0, warning: 0 } },
  ],
  [
    'a weight of 65536',
    { Name: 'x', Weights: { Passing: 65_536, Warning: 1 } },
    400,
    { weights: { passing: 65_536 } },
  ],
  ['tags that are no texts', { Name: 'x', Tags: [1] }, 400, { tags: [1] }],
  ['a field that is unknown', { Name: 'x', Colour: 'red' }, 400, { colour: 'red' }],
  ['a check without an interval', http({}), 400, { check: { type: 'http' } }],
  ['an interval of 0', http({ Interval: '0s' }), 400, { check: { type: 'http', interval: '0s' } }],
  ['an interval without a unit', http({ Interval: '90' }), 400, { check: { type: 'http', interval: '90' } }],
  ['an interval in days', http({ Interval: '1d' }), 400, { check: { type: 'http', interval: '1d' } }],
  ['an interval of 1 ms', http({ Interval: '1ms' }), 'accepts', { check: { type: 'http', interval: '1ms' } }],
  ['no interval at all', http({ Interval: '' }), 400, { check: { type: 'http', interval: '' } }],
  [
    'a reaper of 1 s',
    http({ Interval: '10s', DeregisterCriticalServiceAfter: '1s' }),
    'accepts',
    { check: { type: 'http', interval: '10s', deregisterCriticalServiceAfter: '1s' } },
  ],
  [
    'a header that is no text',
    http({ Interval: '10s', Header: { X: '1' } }),
    400,
    { check: { type: 'http', interval: '10s', headers: { X: 1 } } },
  ],
  ['a check of nothing', { Name: 'x', Check: {} }, 'accepts', { check: {} }],
];

function http(check: object): object {
  return { Name: 'x', Check: { HTTP: 'http://127.0.0.1:1/', ...check } };
}

function many(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, 'v']));
}

describe('options of a registration', () => {
  let consul: TestConsul;
  beforeAll(async () => {
    consul = await startTestConsul();
  });
  afterAll(() => consul.stop());

  it.each(wrong)('%s is refused before anything is sent to Consul', async (_, body, verdict, ours) => {
    const { status } = await consul.request('PUT', '/v1/agent/service/register', body);
    expect(status).toBe(verdict === 'accepts' ? 200 : verdict);
    await consul.request('PUT', '/v1/agent/service/deregister/x');

    const options = {
      agent: { url: consul.url },
      service: { name: 'refused', ...ours },
    } as ConsulModuleOptions;
    await expect(createApp(rootModule([ConsulModule.forRoot(options)]))).rejects.toMatchObject({
      code: 'RK_CONFIG_INVALID',
    });
    expect(Object.keys((await consul.request('GET', '/v1/agent/services')).body as object)).not.toContain(
      'refused',
    );
  });

  it('that are valid arrive at Consul as configured', async () => {
    const service: ServiceOptions = {
      name: 'every-option',
      id: 'every/option 1',
      port: 4711,
      address: '10.0.0.7',
      secure: true,
      tags: ['', 'with space', 'ü'],
      meta: { version: '1.2.0', replicas: 3, canary: false },
      weights: { passing: 65_535, warning: 0 },
      check: [
        {
          type: 'http',
          path: '/ready?full=1',
          interval: '1m30s',
          timeout: '1500ms',
          method: 'POST',
          headers: { 'X-Probe': 'consul', Host: 'books.example' },
          tlsSkipVerify: true,
          deregisterCriticalServiceAfter: '1h',
        },
        { type: 'tcp', interval: 2_000, port: 4712 },
      ],
    };
    const { app } = await startApp(
      rootModule([ConsulModule.forRoot({ agent: { url: consul.url }, service })]),
    );
    const path = `/v1/agent/service/${encodeURIComponent('every/option 1')}`;
    const found = await eventually(async () => {
      const answer = await consul.request('GET', path);
      return answer.status === 200 ? (answer.body as AgentService) : undefined;
    });
    expect(found).toMatchObject({
      Service: 'every-option',
      Port: 4711,
      Address: '10.0.0.7',
      Tags: ['', 'with space', 'ü'],
      Meta: { version: '1.2.0', replicas: '3', canary: 'false', secure: 'true' },
      Weights: { Passing: 65_535, Warning: 0 },
    });
    const checks = (await consul.request('GET', '/v1/agent/checks')).body as Record<string, HealthCheck>;
    expect(Object.keys(checks).sort()).toEqual(['every/option 1:http-1', 'every/option 1:tcp-2']);
    await app.close();
    expect((await consul.request('GET', path)).status).toBe(404);
  });

  it('of a check are what the agent sends', async () => {
    const probes: { method: string; url: string; headers: Record<string, string> }[] = [];
    @Controller()
    class ProbedController {
      @All('probe')
      probe(@Req() { method, url, headers }: (typeof probes)[number]) {
        probes.push({ method, url, headers });
        return 'ok';
      }
    }
    const service: ServiceOptions = {
      name: 'probed',
      check: [
        {
          type: 'http',
          path: '/probe?full=1',
          interval: '1s',
          method: 'POST',
          headers: { 'X-Probe': 'consul', Host: 'books.example' },
        },
        { type: 'tcp', interval: '1s' },
      ],
    };
    const module = ConsulModule.forRoot({ agent: { url: consul.url }, service });
    const { app } = await startApp(rootModule([module], { controllers: [ProbedController] }));
    await eventually(() => probes.length > 0);
    expect(probes[0]).toMatchObject({
      method: 'POST',
      url: '/probe?full=1',
      headers: { 'x-probe': 'consul', host: 'books.example', 'user-agent': 'Consul Health Check' },
    });
    await eventually(async () => {
      const { body } = await consul.request('GET', '/v1/agent/checks');
      const tcp = Object.values(body as Record<string, HealthCheck>).find(({ CheckID }) =>
        CheckID.endsWith(':tcp-2'),
      );
      return tcp?.Output.includes('Success');
    });
    await app.close();
  });

  it('that change at a restart replace the old registration, checks included', async () => {
    // As after a crash: the app is gone, and Consul has not noticed.
    const shutdown = { deregister: false };
    const start = (service: ServiceOptions) =>
      startApp(rootModule([ConsulModule.forRoot({ agent: { url: consul.url }, service, shutdown })]));
    const interval = '10s';
    const first = await start({
      name: 'redeployed',
      id: 'redeployed-1',
      check: [
        { type: 'http', interval },
        { type: 'tcp', interval },
      ],
    });
    const checks = async (): Promise<string[]> =>
      Object.keys((await consul.request('GET', '/v1/agent/checks')).body as object).filter((id) =>
        id.startsWith('redeployed'),
      );
    await eventually(async () => (await checks()).length === 2);
    await first.app.close();
    expect(await checks()).toHaveLength(2);
    const second = await start({ name: 'redeployed', id: 'redeployed-1', check: { type: 'tcp', interval } });
    await eventually(async () => (await checks()).join() === 'redeployed-1:tcp');
    await second.app.close();
  });

  it('that only Consul can refuse are logged, and the app goes on', async () => {
    const client = ConsulClient.create({ url: consul.url });
    const failure = await client.agent
      .register({ Name: 'x', Checks: [{ CheckID: 'x:a', ScriptArgs: ['true'], Interval: '10s' }] })
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ConsulError);
    expect((failure as ConsulError).message).toMatch(/Scripts are disabled on this agent/);
    await client.close();
  });
});
