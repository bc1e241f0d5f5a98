import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { TtlCheckOptions } from '@rookery/consul';
import { ConsulAgent, eventually, figure, type AppProcess } from '@rookery/test-support';
import { startFaultApp } from './fault-app.js';
import { instancesOf, isPassing, type SeenInstance } from './registry-view.js';

const LOOK_MS = 50;

/** How long an instance was in each state, and what its check said. */
interface Observed {
  readonly statuses: ReadonlySet<SeenInstance['status']>;
  readonly outputs: readonly string[];
  readonly goodAgainMs: number;
}

interface SeenCheck {
  readonly ServiceName: string;
  readonly Status: SeenInstance['status'];
  readonly Output: string;
}

describe('heartbeats', () => {
  let agent: ConsulAgent;
  const apps: AppProcess[] = [];
  const start = async (name: string, check: Omit<TtlCheckOptions, 'type'> = {}): Promise<AppProcess> => {
    const service = { name, check: { type: 'ttl', ...check } } as const;
    const app = await startFaultApp({ options: { agent: { url: agent.url }, service } });
    apps.push(app);
    // It is registered as passing before its heartbeats begin; an app that is blocked in between starts no worker thread. Only a heartbeat has an output.
    await eventually(async () => (await heartbeatOf(name)) === 'passing');
    return app;
  };
  /** The status that the last heartbeat told; undefined before the first one. */
  async function heartbeatOf(name: string): Promise<SeenInstance['status'] | undefined> {
    const own = (await checks()).find(({ ServiceName, Output }) => ServiceName === name && Output !== '');
    return own?.Status;
  }
  /** From the agent: a new output reaches the catalog only minutes later. */
  async function checks(): Promise<SeenCheck[]> {
    const { body } = await agent.request('GET', '/v1/agent/checks');
    return Object.values(body as Record<string, SeenCheck>);
  }
  beforeAll(async () => {
    agent = await ConsulAgent.start();
  });
  afterAll(() => agent.stop());
  afterEach(() => Promise.all(apps.splice(0).map((app) => app.kill())));

  /** Blocks the app's event loop, and samples what Consul shows until the check passes again. */
  async function block(app: AppProcess, name: string, ms: number): Promise<Observed> {
    const statuses = new Set<SeenInstance['status']>();
    const outputs: string[] = [];
    await fetch(`${app.url}/block?ms=${ms}`, { method: 'POST' });
    const begun = performance.now();
    const ended = begun + ms + 100;
    for (;;) {
      for (const { ServiceName, Status, Output } of await checks()) {
        if (ServiceName !== name) continue;
        statuses.add(Status);
        outputs.push(Output);
      }
      if (performance.now() > ended + 60_000) throw new Error(`"${name}" is not well again`);
      if (performance.now() > ended && (await isPassing(agent, name))) break;
      await sleep(LOOK_MS);
    }
    return { statuses, outputs, goodAgainMs: Math.round(performance.now() - ended) };
  }

  it('F16 a blocked event loop: 5 s and 15 s cost nothing, 40 s are a warning from the worker thread', async () => {
    const cases: readonly [name: string, ms: number, check: Omit<TtlCheckOptions, 'type'>][] = [
      ['blocked-5', 5_000, {}],
      ['blocked-15', 15_000, {}],
      ['blocked-40', 40_000, { heartbeat: 'worker-thread' }],
    ];
    const observed = await Promise.all(
      cases.map(async ([name, ms, check]) => block(await start(name, check), name, ms)),
    );
    const shown = observed.map(
      ({ statuses, goodAgainMs }, at) =>
        `${cases[at]?.[0]} s: ${[...statuses].join(' and ')}, passing again after ${goodAgainMs} ms`,
    );
    figure('F16', shown.join('; '));
    const [five, fifteen, forty] = observed as [Observed, Observed, Observed];
    expect([...five.statuses]).toEqual(['passing']);
    expect([...fifteen.statuses]).toEqual(['passing']);
    expect(forty.statuses).toEqual(new Set(['passing', 'warning']));
    expect(forty.outputs.join('\n')).toMatch(/event loop blocked for \d+ s; last report: /);
    // A stall of a few seconds between two heartbeats goes unnoticed; the worker thread notices every second.
    const app = apps.find(({ output }) => output.includes('"blocked-40-'));
    await eventually(() => app?.output.includes('heartbeat.stalled'));
  }, 180_000);

  it('F16 a worker stops the heartbeat of an app that stays blocked', async () => {
    // It is reported as blocked from 3 s on: several heartbeats tell, since the machine may hold up one of them.
    const app = await start('lost-cause', { heartbeat: 'worker-thread', ttl: '3s', maxStall: '8s' });
    const { statuses } = await block(app, 'lost-cause', 16_000);
    expect(statuses).toEqual(new Set(['passing', 'warning', 'critical']));
  }, 60_000);

  it('F01 a worker that finds its check gone has the app registered again', async () => {
    await start('revived', { heartbeat: 'worker-thread', ttl: '3s' });
    await agent.relaunch();
    await eventually(() => isPassing(agent, 'revived'), { within: 10_000 });
    // It goes on sending heartbeats: this is longer than a TTL. Without them the check would stay critical; where the machine stalls, one of them is late.
    await sleep(4_000);
    await eventually(() => isPassing(agent, 'revived'), { within: 4_000 });
  });

  it('F27 a worker whose token is refused gets the rotated one', async () => {
    const management = '11111111-aaaa-4bbb-8ccc-222222222222';
    const secured = await ConsulAgent.start({ token: management });
    const create = async (): Promise<{ SecretID: string; AccessorID: string }> => {
      const { body } = await secured.request('PUT', '/v1/acl/token', {
        Policies: [{ Name: 'global-management' }],
      });
      return body as { SecretID: string; AccessorID: string };
    };
    const folder = mkdtempSync(join(tmpdir(), 'rookery-token-'));
    const tokenFile = join(folder, 'token');
    const old = await create();
    writeFileSync(tokenFile, old.SecretID);
    const service = {
      name: 'rotated',
      check: { type: 'ttl', ttl: '3s', heartbeat: 'worker-thread' },
    } as const;
    const app = await startFaultApp({ options: { agent: { url: secured.url, tokenFile }, service } });
    apps.push(app);
    await eventually(() => isPassing(secured, 'rotated'));
    writeFileSync(tokenFile, (await create()).SecretID);
    await secured.request('DELETE', `/v1/acl/token/${old.AccessorID}`);
    // Longer than a TTL: from here on the old token is not valid.
    await sleep(8_000);
    await eventually(() => isPassing(secured, 'rotated'), { within: 10_000 });
    await sleep(4_000);
    await eventually(() => isPassing(secured, 'rotated'), { within: 4_000 });
    await app.kill();
    await secured.stop();
    rmSync(folder, { recursive: true });
  }, 60_000);

  it('F13 a worker ends with its app on SIGTERM', async () => {
    const app = await start('ending', { heartbeat: 'worker-thread' });
    expect(await app.stop()).toEqual({ code: null, signal: 'SIGTERM' });
    expect(await instancesOf(agent, 'ending')).toEqual([]);
    expect(app.output).not.toMatch(/worker thread of the heartbeat|unhandled|uncaught/i);
  });
});
