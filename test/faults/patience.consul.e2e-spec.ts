import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ConsulAgent, eventually, figure, type AppProcess } from '@rookery/test-support';
import { expectWithin } from './expect-within.js';
import { FaultProxy } from './fault-proxy.js';
import { startFaultApp } from './fault-app.js';
import { instancesOf, isPassing } from './registry-view.js';

const SETTLED_MS = 5_000;
const IDLE_MS = 85_000;

/** Cases of several minutes run concurrently, each on a separate agent. */
describe('behaviour over minutes', () => {
  let agent: ConsulAgent;
  const apps: AppProcess[] = [];
  const proxies: FaultProxy[] = [];
  const agents: ConsulAgent[] = [];
  let reaped: Promise<number>;
  let idle: Promise<readonly number[]>;
  let neverPassing: Promise<Readonly<Record<string, number>>>;

  beforeAll(async () => {
    agent = await ConsulAgent.start();
    reaped = stopUntilReaped();
    idle = countIdle();
    neverPassing = watchReaped();
    // They are awaited one after the other, and may fail in the meantime.
    reaped.catch(() => undefined);
    idle.catch(() => undefined);
    neverPassing.catch(() => undefined);
  });
  afterAll(async () => {
    await Promise.all(apps.map((app) => app.kill()));
    await Promise.all(proxies.map((proxy) => proxy.stop()));
    await Promise.all([agent, ...agents].map((each) => each.stop()));
  });

  it('F02 deregistered by Consul while it was frozen: registered again as soon as it runs', async () => {
    const took = await reaped;
    figure('F02', `registered again ${Math.round(took)} ms after SIGCONT`);
    expectWithin(took, 1_000);
    await eventually(() => apps.some((app) => app.output.includes('registration.restored')));
  }, 240_000);

  it('F47 deregistered by Consul since its check never passes: registered again as critical', async () => {
    const statuses = await neverPassing;
    figure('F47', `statuses in the 5 s after it was registered again: ${JSON.stringify(statuses)}`);
    expect(statuses).toEqual({ critical: expect.any(Number) });
  }, 240_000);

  it('F20 a registered app that is idle causes almost no load on the agent', async () => {
    const [http = NaN, ttl = NaN] = await idle;
    figure(
      'F20',
      `requests a minute of an idle app: ${http.toFixed(1)} with an HTTP check, ${ttl.toFixed(1)} with a TTL check`,
    );
    // At most one in 30 s, and one in 10 s; a window of this length may hold one more.
    expect(http).toBeLessThanOrEqual(2 + 60_000 / IDLE_MS);
    expect(ttl).toBeLessThanOrEqual(6 + 60_000 / IDLE_MS);
  }, 240_000);

  /** Frozen until Consul deregisters it; resolves to how long the new registration took. */
  async function stopUntilReaped(): Promise<number> {
    const check = {
      type: 'http',
      interval: '1s',
      timeout: '1s',
      deregisterCriticalServiceAfter: '1m',
    } as const;
    const app = await startFaultApp({
      options: { agent: { url: agent.url }, service: { name: 'frozen', check } },
    });
    apps.push(app);
    await eventually(() => isPassing(agent, 'frozen'));
    process.kill(app.pid ?? NaN, 'SIGSTOP');
    await eventually(async () => (await instancesOf(agent, 'frozen')).length === 0, {
      within: 200_000,
      every: 200,
    });
    const awake = performance.now();
    process.kill(app.pid ?? NaN, 'SIGCONT');
    await eventually(() => isPassing(agent, 'frozen'), { within: 20_000, every: 5 });
    return performance.now() - awake;
  }

  /** Deregistered by Consul since its check fails; how often it was seen in which status after that. */
  async function watchReaped(): Promise<Readonly<Record<string, number>>> {
    const check = {
      type: 'http',
      path: '/no-such-path',
      interval: '3s',
      deregisterCriticalServiceAfter: '1m',
    } as const;
    const app = await startFaultApp({
      options: { agent: { url: agent.url }, service: { name: 'reaped', check } },
    });
    apps.push(app);
    await eventually(() => app.output.includes('registration.restored'), { within: 200_000, every: 20 });
    const statuses: Record<string, number> = {};
    const until = performance.now() + SETTLED_MS;
    while (performance.now() < until) {
      const response = await fetch(`${agent.url}/v1/health/checks/reaped`);
      for (const { Status } of (await response.json()) as { Status: string }[])
        statuses[Status] = (statuses[Status] ?? 0) + 1;
      await sleep(20);
    }
    return statuses;
  }

  /** Requests a minute to the agent, of an app with an HTTP check and of one with a TTL check. */
  async function countIdle(): Promise<readonly number[]> {
    return Promise.all(
      (['http', 'ttl'] as const).map(async (type) => {
        const quiet = await ConsulAgent.start();
        agents.push(quiet);
        const proxy = await FaultProxy.start(quiet.url);
        proxies.push(proxy);
        const name = `idle-${type}`;
        const check = type === 'http' ? ({ type, interval: '10s' } as const) : ({ type } as const);
        apps.push(await startFaultApp({ options: { agent: { url: proxy.url }, service: { name, check } } }));
        await eventually(() => isPassing(quiet, name));
        await sleep(SETTLED_MS);
        const before = proxy.requests.length;
        await sleep(IDLE_MS);
        return ((proxy.requests.length - before) / IDLE_MS) * 60_000;
      }),
    );
  }
});
