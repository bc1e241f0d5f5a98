import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { INestApplication } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ConsulModule, ServiceClientFactory } from '@rookery/consul';
import { ConsulAgent, eventually, figure, type AppProcess } from '@rookery/test-support';
import { rootModule, startApp } from '../e2e/test-app.js';
import { expectWithin } from './expect-within.js';
import { startFaultApp } from './fault-app.js';
import { PlainClient } from './plain-client.js';
import { instancesOf, isPassing } from './registry-view.js';

const INSTANCES = 5;
const REQUESTS_PER_SECOND = 300;
const SLOW_REQUESTS = 200;

describe('an app that shuts down', () => {
  let agent: ConsulAgent;
  let folder: string;
  const apps: AppProcess[] = [];
  const clients: PlainClient[] = [];
  const start = async (name: string, environment: Record<string, string> = {}): Promise<AppProcess> => {
    const app = await startFaultApp({
      options: { agent: { url: agent.url }, service: { name } },
      environment,
    });
    apps.push(app);
    return app;
  };
  const plainClient = (): PlainClient => {
    const client = new PlainClient();
    clients.push(client);
    return client;
  };

  beforeEach(async () => {
    agent = await ConsulAgent.start();
    folder = mkdtempSync(join(tmpdir(), 'rookery-orders-'));
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await Promise.all(apps.splice(0).map((app) => app.kill()));
    await agent.stop();
    rmSync(folder, { recursive: true });
  });

  it('F12 a rolling restart of five instances under load costs no request, and repeats none', async () => {
    const orders = join(folder, 'orders');
    writeFileSync(orders, '');
    const environment = { FAULT_ORDERS: orders };
    const generation = await Promise.all(
      Array.from({ length: INSTANCES }, () => start('rolled', environment)),
    );
    await eventually(async () => (await instancesOf(agent, 'rolled')).length === INSTANCES);
    const plain = plainClient();
    await plain.follow(agent, 'rolled');
    const { app: caller } = await startApp(rootModule([ConsulModule.forRoot({ agent: { url: agent.url } })]));
    const load = new Load(plain, caller);
    await load.warmUp();

    const running = load.run();
    // An instance that was never called stops listening 200 ms after it left: each has been called when the first of them ends.
    await eventually(() => load.sent >= REQUESTS_PER_SECOND);
    for (const old of generation) {
      const ending = old.stop(60_000);
      const next = await start('rolled', environment);
      await eventually(async () =>
        (await instancesOf(agent, 'rolled')).some(({ port }) => port === next.port),
      );
      expect(await ending).toEqual({ code: null, signal: 'SIGTERM' });
    }
    load.stop();
    await running;
    await caller.close();

    const taken = readFileSync(orders, 'utf8').trim().split('\n');
    const doubled = taken.length - new Set(taken).size;
    const { sent, seconds, failures } = load;
    figure(
      'F12',
      `${sent} requests in ${seconds.toFixed(1)} s, half of them POST, half on plain keep-alive clients: ` +
        `${failures.length} failed, ${doubled} doubled`,
    );
    expect(failures).toEqual([]);
    expect(doubled).toBe(0);
    expect(new Set(taken).size).toBe(load.posted);
  }, 180_000);

  it('F13 SIGTERM with 200 slow requests in flight: all are answered, and none is refused before the deregistration', async () => {
    const app = await start('slow');
    await eventually(() => isPassing(agent, 'slow'));
    const slow = plainClient();
    const answers = Array.from({ length: SLOW_REQUESTS }, () =>
      plainClient().send('GET', `${app.url}/slow?ms=3000`),
    );
    // All of them are registered.
    await sleep(1_000);
    const kept = await slow.send('GET', `${app.url}/work`);
    expect(kept.closes).toBe(false);

    const asked = performance.now();
    const ending = app.stop(60_000);
    let leftAt: number | undefined;
    let refusedAt: number | undefined;
    const closes: boolean[] = [];
    while (refusedAt === undefined && performance.now() - asked < 30_000) {
      const [instances, answer] = await Promise.all([
        instancesOf(agent, 'slow'),
        plainClient()
          .send('GET', `${app.url}/work`)
          .catch(() => undefined),
      ]);
      if (instances.length === 0) leftAt ??= performance.now();
      if (!answer) refusedAt = performance.now();
      else if (leftAt !== undefined) closes.push(answer.closes);
      // A caller that calls periodically, and stops after a while.
      if (leftAt !== undefined && performance.now() - leftAt > 500) await sleep(1_500);
      else await sleep(20);
    }
    const results = await Promise.all(answers);
    const end = await ending;
    const took = Math.round(performance.now() - asked);
    expect(results.map(({ status }) => status)).toEqual(Array.from({ length: SLOW_REQUESTS }, () => 200));
    expect(end).toEqual({ code: null, signal: 'SIGTERM' });
    expect(leftAt).toBeDefined();
    expect(refusedAt ?? Infinity).toBeGreaterThan(leftAt ?? 0);
    expect(closes.at(-1)).toBe(true);
    const [left, refused] = [leftAt, refusedAt].map((at) => Math.round((at ?? 0) - asked));
    figure(
      'F13',
      `${SLOW_REQUESTS} of ${SLOW_REQUESTS} answered; left after ${left} ms, first refusal after ${refused} ms, ended after ${took} ms`,
    );
  }, 120_000);

  it('F13 during shutdown readiness fails, liveness does not, and idle connections are closed', async () => {
    const app = await start('leaving');
    await eventually(() => isPassing(agent, 'leaving'));
    const idle = connect(app.port, '127.0.0.1');
    let isIdleClosed = false;
    idle.on('close', () => (isIdleClosed = true));
    idle.write('GET /work HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(idle, 'data');
    const busy = plainClient().send('GET', `${app.url}/slow?ms=2500`);
    await sleep(200);
    const ending = app.stop(60_000);
    await eventually(async () => (await instancesOf(agent, 'leaving')).length === 0, { every: 5 });
    const readiness = await eventually(async () => {
      const answer = await plainClient().send('GET', `${app.url}/health/ready`);
      return answer.status === 503 && answer;
    });
    expect(readiness.body).toMatch(/the app is shutting down/);
    expect((await plainClient().send('GET', `${app.url}/health/live`)).status).toBe(200);
    idle.resume();
    await eventually(() => isIdleClosed);
    expect((await busy).status).toBe(200);
    expect(await ending).toEqual({ code: null, signal: 'SIGTERM' });
  }, 60_000);

  it('F14 SIGTERM while Consul is silent: it ends after 3 s and the drain, at the latest', async () => {
    const app = await start('unheard');
    await eventually(() => isPassing(agent, 'unheard'));
    agent.pause();
    const asked = performance.now();
    expect(await app.stop(60_000)).toEqual({ code: null, signal: 'SIGTERM' });
    const took = Math.round(performance.now() - asked);
    agent.resume();
    figure('F14', `ended after ${took} ms with Consul frozen`);
    expectWithin(took, 3_000);
    expect(app.output).toMatch(/could not be deregistered .* no response in 3000 ms/);
  });
});

/** Requests at a steady rate, alternately by a plain client and by Rookery's, GET and POST. */
class Load {
  readonly failures: string[] = [];
  sent = 0;
  posted = 0;
  seconds = 0;
  readonly #plain: PlainClient;
  readonly #ours: ReturnType<ServiceClientFactory['create']>;
  readonly #stopping = new AbortController();

  constructor(plain: PlainClient, app: INestApplication) {
    this.#plain = plain;
    this.#ours = app.get(ServiceClientFactory).create('rolled');
  }

  async warmUp(): Promise<void> {
    await eventually(async () => (await this.#ours.axiosRef.get('/work')).status === 200);
  }

  async run(): Promise<void> {
    const begun = performance.now();
    const underWay: Promise<void>[] = [];
    while (!this.#stopping.signal.aborted) {
      const due = ((performance.now() - begun) / 1_000) * REQUESTS_PER_SECOND;
      while (this.sent < due) underWay.push(this.#send(this.sent++));
      await sleep(5);
    }
    await Promise.all(underWay);
    this.seconds = (performance.now() - begun) / 1_000;
  }

  stop(): void {
    this.#stopping.abort();
  }

  async #send(n: number): Promise<void> {
    const isPost = n % 2 === 1;
    const isPlain = n % 4 < 2;
    const path = isPost ? `/orders/${n}` : '/work';
    if (isPost) this.posted++;
    try {
      const { status } = isPlain
        ? await this.#plain.call(isPost ? 'POST' : 'GET', path)
        : await (isPost ? this.#ours.axiosRef.post(path) : this.#ours.axiosRef.get(path));
      if (status !== 200 && status !== 201) this.failures.push(`${path}: ${status}`);
    } catch (error) {
      const kind = isPlain ? 'plain' : 'ours';
      this.failures.push(`${kind} ${path}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}
