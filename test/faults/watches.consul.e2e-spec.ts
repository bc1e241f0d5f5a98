import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { EmbeddedConsul } from '@rookery/embedded-consul';
import { ConsulAgent, eventually, figure, median, seededRandom } from '@rookery/test-support';
import { expectWithin } from './expect-within.js';
import { FaultProxy, type Fault, type ProxiedRequest } from './fault-proxy.js';
import { putInstance, removeInstance, startWatching, type WatchingApp } from './watching-app.js';

/** Ten minutes with `npm run faults`; less where all tests run. */
const FAULTY_MS = Number(process.env.ROOKERY_RUNS ?? 20) >= 100 ? 600_000 : 30_000;
const SEED = Number(process.env.ROOKERY_SEED ?? 20_251_121);
const PATH = '/v1/health/service/stock';
/** The longest pause of a watch after failures. */
const BACKOFF_CAP_MS = 30_000;
/** The end of a request is seen by the proxy a moment after its client gave it up. */
const SEEN_LATE_MS = 500;

describe('a watch that never dies', () => {
  let agent: ConsulAgent;
  let proxy: FaultProxy;
  let app: WatchingApp;

  beforeAll(async () => {
    agent = await ConsulAgent.start();
  });
  afterAll(() => agent.stop());
  beforeEach(async () => {
    proxy = await FaultProxy.start(agent.url);
    // The deadline of a query that waits for 60 s is that much later.
    app = await startWatching({ agent: { url: proxy.url, maxWait: '25s' } });
    await putInstance(agent, 'stock', 's1', 4001);
    await eventually(async () => (await app.ids('stock')).join() === 's1');
  });
  afterEach(async () => {
    await app.close();
    await proxy.stop();
    for (const id of ['s1', 's2', 's3']) await removeInstance(agent, id);
  });
  const asked = (path = PATH): number[] =>
    proxy.requests.filter(({ what }) => what.split(/[ ?]/)[1] === path).map(({ at }) => at);

  it('F04 the agent comes back with a lower index: a change is seen before a whole wait has passed', async () => {
    for (let n = 0; n < 30; n++) await putInstance(agent, 'stock', 's1', 5000 + n); // drives the index up
    await eventually(async () => (await app.discovery.getInstances('stock'))[0]?.port === 5029);
    // Without the proxy: kept-alive connections of a proxy would hide the restart.
    const direct = await startWatching({ agent: { url: agent.url } });
    await eventually(async () => (await direct.ids('stock')).length === 1);
    const sinceCurrent: number[] = [];
    const sinceUp: number[] = [];
    for (let run = 0; run < 5; run++) {
      // Also in the pause between two queries, where there is no request to reset.
      await new Promise((resolve) => setTimeout(resolve, run * 60));
      const outages = direct.events.filter(({ type }) => type === 'list.recovered').length;
      await agent.kill();
      await agent.restart();
      const up = Date.now();
      await putInstance(agent, 'stock', 's1', 6000 + run);
      const put = Date.now();
      const isSeen = async (): Promise<boolean> =>
        (await direct.discovery.getInstances('stock'))[0]?.port === 6000 + run;
      await eventually(isSeen, { within: 30_000, every: 5 });
      const seen = Date.now();
      const current =
        direct.events.filter(({ type }) => type === 'list.recovered')[outages]?.timestamp ?? put;
      sinceUp.push(seen - up);
      sinceCurrent.push(seen - Math.max(put, current));
    }
    await direct.close();
    figure(
      'F04',
      `a change after a restart was seen ${median(sinceCurrent)} ms after the watch was back, ${median(sinceUp)} ms after the agent was (worst ${Math.max(...sinceUp)} ms, n=5)`,
    );
    expectWithin(Math.max(...sinceCurrent), 1_000);
  }, 180_000);

  it('F07 a half-open connection is noticed at the deadline of the query; the list stays in use meanwhile', async () => {
    await new Promise((resolve) => setTimeout(resolve, 300)); // the watch blocks
    proxy.isHalfOpen = true;
    const cut = performance.now();
    await putInstance(agent, 'stock', 's2', 4002);
    await eventually(() => app.events.some(({ type }) => type === 'list.stale'), {
      within: 120_000,
      every: 50,
    });
    const noticed = performance.now() - cut;
    expect(await app.ids('stock')).toEqual(['s1']);
    proxy.isHalfOpen = false;
    await eventually(async () => (await app.ids('stock')).length === 2, { within: 60_000 });
    figure('F07', `noticed after ${(noticed / 1000).toFixed(1)} s (deadline: 31.6 s), and current again`);
    expect(noticed).toBeGreaterThan(20_000); // by the deadline, not because something else ended the connection
  }, 240_000);

  it('F23 the Retry-After of an agent that limits requests is obeyed, and the list stays', async () => {
    const limited: Fault = {
      status: 429,
      headers: { 'Retry-After': '3' },
      body: 'rate limit exceeded, try again later',
    };
    proxy.fault = () => limited;
    proxy.resetAll();
    await eventually(() => asked().length > 0 && app.events.some(({ type }) => type === 'list.stale'));
    await eventually(() => asked().length >= 4, { within: 30_000 });
    const [, ...last] = asked().slice(-3);
    const gaps = last.map((at, n) => at - (asked().slice(-3)[n] ?? at));
    figure(
      'F23',
      `asked again after ${gaps.map((gap) => (gap / 1000).toFixed(1)).join(' and ')} s, 3 s asked for`,
    );
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(2_990);
    expect(await app.ids('stock')).toEqual(['s1']);
    proxy.fault = () => undefined;
    await putInstance(agent, 'stock', 's2', 4002);
    await eventually(async () => (await app.ids('stock')).length === 2, { within: 30_000 });
  }, 60_000);

  it('F39 an agent that takes 20 s for every answer delays no call', async () => {
    const call = async (): Promise<number> => {
      const begun = performance.now();
      await app.discovery.call('stock', async ({ port }) => port);
      return performance.now() - begun;
    };
    const p99 = async (): Promise<number> => {
      const rounds: number[] = [];
      // Over a second, so that a moment in which the machine is busy does not decide.
      for (let round = 0; round < 25; round++) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        const times: number[] = [];
        for (let n = 0; n < 1_000; n++) times.push(await call());
        rounds.push(times.sort((a, b) => a - b)[990] ?? NaN);
      }
      return median(rounds);
    };
    await p99();
    const usual = await p99();
    proxy.fault = () => ({ delay: 20_000 });
    proxy.resetAll();
    await putInstance(agent, 'stock', 's2', 4002);
    const delayed = await p99();
    figure('F39', `p99 of a call: ${usual.toFixed(3)} ms, with a slow agent ${delayed.toFixed(3)} ms`);
    expectWithin(delayed, usual);
  });

  it(`F06 ${FAULTY_MS / 1000} s of random faults: one loop, a flat heap, and the list is Consul's afterwards`, async () => {
    const random = seededRandom(SEED);
    const faults: (Fault | undefined)[] = [
      undefined,
      undefined,
      'reset',
      'garbage',
      'drip',
      { status: 404, body: 'Not Found' },
      { status: 429, body: 'slow down' },
      { status: 500, body: 'rpc error making call: EOF' },
      { status: 500, body: 'No cluster leader' },
      { status: 503, body: '' },
      { edit: () => '[]' },
      { edit: (body) => body.slice(0, -20) },
      { edit: () => '[{"Node":null}]' },
      { edit: (body) => `${body} ` },
      { delay: 300 },
    ];
    const pick = (): Fault | undefined => faults[Math.floor(random() * faults.length)];
    const heap = (): number => {
      (globalThis as { gc?: () => void }).gc?.();
      return process.memoryUsage().heapUsed;
    };
    proxy.fault = pick;
    const heaps: number[] = [];
    // The instance answers: a list without it is wrong.
    const alive = createServer().listen(0, '127.0.0.1');
    await once(alive, 'listening');
    const { port } = alive.address() as AddressInfo;
    await putInstance(agent, 'stock', 's1', port);
    await eventually(async () => (await app.discovery.getInstances('stock'))[0]?.port === port, {
      within: 60_000,
    });
    const until = performance.now() + FAULTY_MS;
    for (let n = 0; performance.now() < until; n++) {
      await putInstance(agent, 'stock', 's1', port, { Meta: { n: String(n) } });
      if (random() < 0.3) proxy.resetAll();
      if (random() < 0.2) await putInstance(agent, 'stock', 's2', 4002);
      if (random() < 0.2) await removeInstance(agent, 's2');
      await new Promise((resolve) => setTimeout(resolve, 50 + 400 * random()));
      if (n % 20 === 0) heaps.push(heap());
      // Never without a list, whatever the response.
      expect((await app.discovery.getInstances('stock')).length).toBeGreaterThan(0);
    }
    proxy.fault = () => undefined;
    const ended = performance.now();
    await putInstance(agent, 'stock', 's3', 4003);
    await removeInstance(agent, 's2');
    await eventually(async () => (await app.ids('stock')).join() === 's1,s3', { within: 150_000, every: 20 });
    const converged = performance.now() - ended;
    const rounds = asked().length;
    const third = Math.floor(heaps.length / 3);
    const growth = median(heaps.slice(-third)) / median(heaps.slice(third, 2 * third));
    figure(
      'F06',
      `seed ${SEED}: ${rounds} requests, Consul's list ${(converged / 1000).toFixed(1)} s after the last fault, heap x ${growth.toFixed(2)}`,
    );
    expectWithin(converged, BACKOFF_CAP_MS);
    // List protection reads consistently beside the watch, and there are stale reads without a leader.
    const watching = proxy.requests.filter(
      ({ what }) => what.includes(PATH) && !/[?&](consistent|stale)\b/.test(what),
    );
    expect(watching.length).toBeGreaterThan(3);
    expect(watching.filter(isBesideNext)).toEqual([]);
    // Now that nothing changes, each loop has a query that waits.
    let waiting = 0;
    for (let n = 0; n < 50; n++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      waiting = Math.max(waiting, proxy.underWay(PATH));
    }
    expect(waiting).toBe(1);
    expect(growth).toBeLessThan(1.5);
    alive.close();
    const explained = await app.discovery.explain('stock');
    expect(explained.lists).toEqual([expect.objectContaining({ state: 'current', failures: 0 })]);
  }, 900_000);

  it('F05 a change in Consul is in the snapshot as soon as a bare blocking query has it', async () => {
    const ours: number[] = [];
    const bare: number[] = [];
    let port = 0;
    const subscription = app.discovery.watch('stock').subscribe(({ instances }) => {
      if (instances.some((instance) => instance.port === port)) ours.push(performance.now());
    });
    const over = new AbortController();
    const loop = (async () => {
      for (let index = '1'; !over.signal.aborted;) {
        const answer = await fetch(`${agent.url}${PATH}?index=${index}&wait=10s`);
        const body = (await answer.json()) as { Service: { Port: number } }[];
        index = answer.headers.get('x-consul-index') ?? '1';
        if (body.some(({ Service }) => Service.Port === port)) bare.push(performance.now());
      }
    })();
    const changes = 40;
    const [watched, polled]: [number[], number[]] = [[], []];
    for (let n = 1; n <= changes; n++) {
      port = 8000 + n;
      ours.length = bare.length = 0;
      const put = performance.now();
      await putInstance(agent, 'stock', 's1', port);
      await eventually(() => ours.length > 0 && bare.length > 0, { every: 1 });
      watched.push((ours[0] ?? NaN) - put);
      polled.push((bare[0] ?? NaN) - put);
      await new Promise((resolve) => setTimeout(resolve, 520));
    }
    over.abort();
    subscription.unsubscribe();
    await putInstance(agent, 'stock', 's1', 1);
    await loop;
    const [mine, theirs] = [median(watched), median(polled)];
    figure(
      'F05',
      `change to snapshot: median ${mine.toFixed(1)} ms, a bare blocking query ${theirs.toFixed(1)} ms (n=${changes})`,
    );
    expect(mine - theirs).toBeLessThan(10);
  }, 120_000);
});

describe('an unreliable index', () => {
  it('F05 responses without any of Consul’s headers are read, and requested no more than twice a second', async () => {
    let asked = 0;
    let port = 4001;
    const bare = createHttpServer((_, response) => {
      asked++;
      const instance = {
        Node: { ID: 'n', Node: 'n', Address: '127.0.0.1', Datacenter: 'dc1' },
        Service: { ID: 's1', Service: 'stock', Tags: null, Meta: null, Address: '', Port: port },
        Checks: [],
      };
      response.end(JSON.stringify([instance]));
    }).listen(0, '127.0.0.1');
    await once(bare, 'listening');
    const app = await startWatching({
      agent: { url: `http://127.0.0.1:${(bare.address() as AddressInfo).port}` },
    });
    expect(await app.ids('stock')).toEqual(['s1']);
    expect((await app.discovery.explain('stock')).snapshot?.source).toBe('live');
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    port = 4002;
    await eventually(async () => (await app.discovery.getInstances('stock'))[0]?.port === 4002);
    figure('F05', `without an index: ${asked} requests in 6 s`);
    // A burst of five, then two a second; with a margin for a machine that was paused.
    expect(asked).toBeLessThanOrEqual(30);
    await app.close();
    bare.closeAllConnections();
    bare.close();
  }, 60_000);

  it('F05 goes back, freezes, and is lost: the watch limits its requests, and misses no final state', async () => {
    const random = seededRandom(SEED);
    const consul = await EmbeddedConsul.start();
    const proxy = await FaultProxy.start(consul.url);
    const app = await startWatching({ agent: { url: proxy.url } });
    const body = (port: number): string => JSON.stringify({ ID: 's1', Name: 'stock', Port: port });
    const put = async (port: number): Promise<void> => {
      // A connection that the restart reset is not what is tested.
      await eventually(async () => {
        const url = `${consul.url}/v1/agent/service/register`;
        return (await fetch(url, { method: 'PUT', body: body(port) })).ok;
      });
    };
    await put(1);
    await eventually(async () => (await app.ids('stock')).length === 1);
    const twists = [
      () => consul.faults.indexGoesBack(1 + Math.floor(random() * 50)),
      () => consul.faults.indexGoesBack(),
      () => consul.faults.frozenIndex(),
      () => consul.faults.heal(),
      () => consul.faults.loseState(),
      () => consul.faults.restart({ keepState: random() < 0.5 }),
      () => undefined,
    ];
    const begun = performance.now();
    for (let n = 2; n <= 60; n++) {
      twists[Math.floor(random() * twists.length)]?.();
      await put(n);
      await new Promise((resolve) => setTimeout(resolve, random() * 400));
    }
    const lasted = performance.now() - begun;
    const asked = proxy.requests.filter(({ what }) => what.includes('/health/service/')).length;
    consul.faults.heal();
    await put(4711);
    await eventually(async () => (await app.discovery.getInstances('stock'))[0]?.port === 4711, {
      within: 90_000,
    });
    figure('F05', `seed ${SEED}: ${asked} requests in ${(lasted / 1000).toFixed(1)} s of unreliable indexes`);
    expect(asked / (lasted / 100)).toBeLessThan(1);
    await app.close();
    await proxy.stop();
    await consul.stop();
  }, 180_000);
});

/** Two loops for one service: of one, a request ends before the next one is sent. */
function isBesideNext({ endedAt = Infinity }: ProxiedRequest, at: number, all: ProxiedRequest[]): boolean {
  const next = all[at + 1];
  return next !== undefined && endedAt - next.at > SEEN_LATE_MS;
}
