import { Server, ServerCredentials } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ConsulModuleOptions, ServiceOptions } from '@rookery/consul';
import { ConsulAgent, eventually, figure, median, type AppProcess } from '@rookery/test-support';
import { expectWithin } from './expect-within.js';
import { startFaultApp, type FaultAppOptions } from './fault-app.js';
import { instancesOf, isPassing } from './registry-view.js';

/** 100 with `npm run faults`; fewer where all tests run. */
const RUNS = Number(process.env.ROOKERY_RUNS ?? 20);
const WITHIN_MS = 10_000;

describe('a registration that cannot be lost', () => {
  let agent: ConsulAgent;
  const apps: AppProcess[] = [];
  const start = async (
    service: ConsulModuleOptions['service'],
    more: Omit<FaultAppOptions, 'options'> & { options?: ConsulModuleOptions } = {},
  ): Promise<AppProcess> => {
    const options = { agent: { url: agent.url }, ...(service ? { service } : {}), ...more.options };
    const app = await startFaultApp({ ...more, options });
    apps.push(app);
    return app;
  };
  const passing = (name: string): Promise<true> =>
    eventually(() => isPassing(agent, name), { within: WITHIN_MS, every: 5 });

  beforeEach(async () => {
    agent = await ConsulAgent.start();
  });
  afterEach(async () => {
    await Promise.all(apps.splice(0).map((app) => app.kill()));
    await agent.stop();
  });

  it(`F01 the agent is killed and restarted empty, ${RUNS} times: HTTP, TCP, gRPC and TTL checks are back and passing`, async () => {
    const grpc = await startGrpcHealth();
    const interval = '1s';
    const services: ServiceOptions[] = [
      { name: 'by-http', check: { type: 'http', interval } },
      { name: 'by-tcp', check: { type: 'tcp', interval } },
      { name: 'by-grpc', check: { type: 'grpc', interval, address: `127.0.0.1:${grpc.port}` } },
      { name: 'by-ttl', check: { type: 'ttl' } },
    ];
    const app = await start(services);
    const names = services.map(({ name }) => name);
    await Promise.all(names.map(passing));
    const times: number[] = [];
    for (let run = 0; run < RUNS; run++) {
      await agent.relaunch();
      const up = performance.now();
      await Promise.all(names.map(passing)).catch((error: unknown) => {
        throw new Error(`run ${run}: ${app.output.slice(-12_000)}`, { cause: error });
      });
      times.push(performance.now() - up);
    }
    grpc.stop();
    const inTime = times.filter((time) => time <= 2_000).length;
    const [worst, usual] = [Math.max(...times), median(times)].map(Math.round);
    figure('F01', `back and passing: median ${usual} ms, worst ${worst} ms; ${inTime} of ${RUNS} within 2 s`);
    expect(times).toHaveLength(RUNS);
    expect(app.output).not.toMatch(/unhandled|uncaught/i);
  }, 900_000);

  it('F01 the agent comes back with its data: nothing is registered twice, and all checks pass', async () => {
    const client = await ConsulAgent.start({ mode: 'server', expect: 1 });
    const app = await startFaultApp({
      options: { agent: { url: client.url }, service: { name: 'kept', check: { type: 'ttl' } } },
    });
    await eventually(() => isPassing(client, 'kept'), { within: WITHIN_MS });
    await client.restart();
    await eventually(() => isPassing(client, 'kept'), { within: WITHIN_MS });
    expect(await instancesOf(client, 'kept')).toHaveLength(1);
    expect(app.output).not.toContain('registration.lost');
    await app.kill();
    await client.stop();
  });

  it('F03 another client deregisters the app, changes it, or removes its check: it is repaired', async () => {
    const app = await start({ name: 'ours', tags: ['v1'], meta: { version: '1' } });
    await passing('ours');
    const [own] = await instancesOf(agent, 'ours');
    const id = own?.id ?? '';
    const definition = { ID: id, Name: 'ours', Port: own?.port, Tags: ['v1'], Meta: { version: '1' } };
    const put = (path: string, body?: object): Promise<unknown> => agent.request('PUT', path, body);
    const edits: Record<string, () => Promise<unknown>> = {
      deregistered: () => put(`/v1/agent/service/deregister/${id}`),
      'another port': () => put('/v1/agent/service/register', { ...definition, Port: 4711 }),
      'other tags': () => put('/v1/agent/service/register', { ...definition, Tags: ['theirs'] }),
      'its check removed': () => put(`/v1/agent/check/deregister/${id}:http`),
      'all checks replaced': () =>
        put('/v1/agent/service/register?replace-existing-checks=true', {
          ...definition,
          Check: { CheckID: `${id}:theirs`, TTL: '1h', Status: 'critical' },
        }),
      'dropped from the catalog': () => put('/v1/catalog/deregister', { Node: agent.node, ServiceID: id }),
    };
    const times: number[] = [];
    for (const edit of Object.values(edits)) {
      // Other clients change a registration that has existed for a while.
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      const seen = app.output.split('registration.restored').length;
      await edit();
      const edited = performance.now();
      await eventually(() => app.output.split('registration.restored').length > seen, {
        within: WITHIN_MS,
        every: 5,
      });
      await eventually(
        async () => {
          const [found] = await instancesOf(agent, 'ours');
          const { body } = await agent.request('GET', `/v1/agent/service/${id}`);
          const { Tags, Port } = body as { Tags: string[]; Port: number };
          return found?.status === 'passing' && Port === app.port && Tags.join() === 'v1';
        },
        { within: WITHIN_MS, every: 5 },
      );
      times.push(performance.now() - edited);
    }
    const shown = Object.keys(edits).map((name, at) => `${name} ${Math.round(times[at] ?? 0)} ms`);
    figure('F03', `repaired: ${shown.join(', ')}`);
    for (const took of times) expectWithin(took, 1_000);
  });

  it('F03 a conflict with another writer costs no more than six repairs a minute, is logged once, and ends', async () => {
    const app = await start({ name: 'fought' });
    await passing('fought');
    const [own] = await instancesOf(agent, 'fought');
    const path = `/v1/agent/service/deregister/${own?.id}`;
    const until = performance.now() + 20_000;
    while (performance.now() < until) {
      await agent.request('PUT', path);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    // As events: a line of the log has the type as well.
    const repairs = app.output.split('"type":"registration.restored"').length - 1;
    figure('F03', `${repairs} repairs in 20 s of a conflict`);
    expect(repairs).toBeGreaterThanOrEqual(3);
    expect(repairs).toBeLessThanOrEqual(6);
    expect(app.output.split('another writer keeps changing')).toHaveLength(2);
    expect(app.output.split('"type":"registration.contested"')).toHaveLength(2);
    await eventually(() => isPassing(agent, 'fought'), { within: 60_000 });
  }, 120_000);

  it('F15 Consul is absent at the start, and stops later: the app runs, is ready, and registers again', async () => {
    await agent.kill();
    const app = await start({ name: 'patient' });
    expect((await fetch(`${app.url}/health/live`)).status).toBe(200);
    expect((await fetch(`${app.url}/health/ready`)).status).toBe(200);
    await agent.restart();
    await passing('patient');
    await agent.kill();
    expect((await fetch(`${app.url}/health/ready`)).status).toBe(200);
    await agent.restart();
    await passing('patient');
    expect(app.output).not.toMatch(/unhandled|uncaught/i);
  });

  it('F15 with startup: fail-fast the app does not start without Consul, and says why', async () => {
    await agent.kill();
    const failing = start(
      { name: 'hasty' },
      { options: { startup: 'fail-fast', agent: { url: agent.url } } },
    );
    await expect(failing).rejects.toThrow(/RK_REGISTRY_UNREACHABLE|Is a Consul agent listening/);
    await agent.restart();
    await start({ name: 'hasty' }, { options: { startup: 'fail-fast', agent: { url: agent.url } } });
    await passing('hasty');
  });

  it('F17 two containers on the same port are two instances; the same id elsewhere is a clear error', async () => {
    // On separate addresses, like containers.
    await Promise.all(
      ['127.0.0.1', '127.0.0.2'].map((address, n) =>
        start(
          { name: 'twin', address },
          { port: 18_080, environment: { FAULT_HOSTNAME: `container-${n}`, FAULT_BIND: address } },
        ),
      ),
    );
    await eventually(async () => (await instancesOf(agent, 'twin')).length === 2, { within: WITHIN_MS });
    const ids = (await instancesOf(agent, 'twin')).map(({ id }) => id).sort();
    expect(ids).toEqual(['twin-container-0-18080', 'twin-container-1-18080']);

    await start({ name: 'single', id: 'single' });
    await passing('single');
    const [own] = await instancesOf(agent, 'single');
    const rival = await start({ name: 'single', id: 'single' });
    await eventually(() => rival.output.includes('registration.conflict'), { within: WITHIN_MS });
    expect(rival.output).toMatch(/"single" is not registered: its id belongs to another live instance/);
    expect((await instancesOf(agent, 'single'))[0]?.port).toBe(own?.port);
  });

  it('F18 an app that stops while its registration hangs leaves no stale registration', async () => {
    agent.pause();
    const app = await start({ name: 'ghost' });
    await eventually(() => app.output.includes('listening'));
    const ending = app.stop();
    await new Promise((resolve) => setTimeout(resolve, 500));
    agent.resume();
    await ending;
    // The agent has processed everything it received: it answers in order.
    await agent.request('GET', '/v1/agent/services');
    await eventually(async () => (await instancesOf(agent, 'ghost')).length === 0, { within: WITHIN_MS });
  });

  it('F40 the address of a preferred network is used, and an unreachable one is explained', async () => {
    const preferred = await start({ name: 'placed', preferredNetworks: ['10.255.0.0/16', '127.0.0.0/8'] });
    await passing('placed');
    expect((await instancesOf(agent, 'placed'))[0]?.address).toBe('127.0.0.1');
    expect(preferred.output).not.toContain('others cannot reach');
    const misplaced = { name: 'misplaced', address: '127.0.0.9', check: { type: 'ttl' } } as const;
    const misconfigured = await start(misplaced, { environment: { FAULT_BIND: '127.0.0.1' } });
    await eventually(() => misconfigured.output.includes('others cannot reach "misplaced'), {
      within: WITHIN_MS,
    });
    expect(misconfigured.output).toMatch(
      /cannot connect to 127\.0\.0\.9, port \d+ \(ECONNREFUSED\): set service\.address/,
    );
    const environment = { ROOKERY_ADDRESS: '127.0.0.3', ROOKERY_ZONE: 'z1' };
    await start({ name: 'by-environment', check: { type: 'ttl' } }, { environment });
    await passing('by-environment');
    expect((await instancesOf(agent, 'by-environment'))[0]?.address).toBe('127.0.0.3');
  });
});

/** The standard health service of gRPC, which says SERVING: `message HealthCheckResponse { status = 1 }`. */
async function startGrpcHealth(): Promise<{ port: number; stop: () => void }> {
  const server = new Server();
  server.addService(
    {
      check: {
        path: '/grpc.health.v1.Health/Check',
        requestStream: false,
        responseStream: false,
        requestDeserialize: (bytes: Buffer) => bytes,
        requestSerialize: (bytes: Buffer) => bytes,
        responseSerialize: (bytes: Buffer) => bytes,
        responseDeserialize: (bytes: Buffer) => bytes,
      },
    },
    {
      check: (_: unknown, callback: (error: null, answer: Buffer) => void) =>
        callback(null, Buffer.from([8, 1])),
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return { port, stop: () => server.forceShutdown() };
}
