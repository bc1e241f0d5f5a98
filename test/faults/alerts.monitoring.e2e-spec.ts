import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { alertmanagerSink, AlertsModule, ConsulModule, RegistrationService } from '@rookery/consul';
import { Alertmanager, ConsulAgent, eventually, figure, type AppProcess } from '@rookery/test-support';
import { AlertHook } from '../e2e/alert-hook.js';
import { rootModule, startApp, type TestApp } from '../e2e/test-app.js';
import { startFaultApp } from './fault-app.js';

const REPLICAS = 5;
const RULE_MS = 2_000;
const AWAY_MS = 60_000;

describe('F63 an alert, on a real Alertmanager, seen by five replicas', () => {
  let consul: ConsulAgent;
  let hook: AlertHook;
  let alertmanager: Alertmanager;
  let providers: AppProcess[];
  const watchers: TestApp[] = [];
  beforeAll(async () => {
    consul = await ConsulAgent.start();
  });
  afterAll(() => consul.stop());
  beforeEach(async () => {
    hook = await AlertHook.start();
    alertmanager = await Alertmanager.start(hook.url);
    providers = [await startProvider(), await startProvider()];
    const rules = [
      { type: 'instances', service: 'inventory', atLeast: 2, for: RULE_MS, keepFiringFor: '1s' },
    ] as const;
    const sinks = [alertmanagerSink({ url: alertmanager.url, repeatEvery: '2s' })];
    for (let n = 0; n < REPLICAS; n++) {
      const agent = { url: consul.url };
      const watcher = await startApp(
        rootModule([
          ConsulModule.forRoot({
            agent,
            service: { name: 'watcher', id: `watcher-${n}` },
            shutdown: { drainTimeout: 0 },
          }),
          AlertsModule.forRoot({ rules, sinks, interval: '500ms' }),
        ]),
      );
      watchers.push(watcher);
      await watcher.app.get(RegistrationService).whenRegistered();
    }
  }, 120_000);
  afterEach(async () => {
    await Promise.all(watchers.splice(0).map(({ app }) => app.close()));
    await Promise.all(providers.map((provider) => provider.kill()));
    await alertmanager.stop();
    hook.stop();
    const { body } = await consul.request('GET', '/v1/agent/services');
    for (const id of Object.keys(body as object))
      await consul.request('PUT', `/v1/agent/service/deregister/${id}`);
  }, 60_000);

  const startProvider = (): Promise<AppProcess> =>
    startFaultApp({
      options: {
        agent: { url: consul.url },
        service: { name: 'inventory', check: { type: 'http', interval: '1s', timeout: '1s' } },
      },
    });
  const active = async (): Promise<number> => (await alertmanager.alerts()).length;

  it('fires in the time of the rule when an instance is killed, and resolves when one is back: one alert, not five', async () => {
    await providers[1]?.kill();
    const killedAt = Date.now();
    await eventually(async () => (await active()) === 1, { within: 30_000, every: 100 });
    figure(
      'F63',
      `an instance is killed: in Alertmanager after ${Date.now() - killedAt} ms; the check's interval is 1 s, the rule's time ${RULE_MS} ms`,
    );
    await eventually(() => hook.of('firing').length === 1, { within: 20_000 });
    // All five have sent it by now, again and again.
    await delay(5_000);
    expect(await active()).toBe(1);
    expect(hook.of('firing')).toHaveLength(1);
    providers.push(await startProvider());
    const backAt = Date.now();
    await eventually(() => hook.of('resolved').length === 1, { within: 60_000 });
    figure('F63', `an instance is back: resolved after ${Date.now() - backAt} ms`);
    expect(hook.received).toHaveLength(2);
    expect(hook.received[0]?.labels).toEqual({
      alertname: 'RookeryTooFewInstances',
      service: 'inventory',
      severity: 'critical',
    });
  }, 180_000);

  it('loses none while Alertmanager is away for a minute, and sends one', async () => {
    await alertmanager.kill();
    await providers[1]?.kill();
    await eventually(() => watchers.every(({ app }) => app.get(AlertsModule).firing.length === 1), {
      within: 30_000,
    });
    await delay(AWAY_MS);
    // Each says so once, into the logger that Nest has for all of them.
    const warned = watchers.flatMap(({ logger }) => logger.matching(/alerts cannot be sent to Alertmanager/));
    expect(warned).toHaveLength(REPLICAS);
    await alertmanager.restart();
    const backAt = Date.now();
    await eventually(() => hook.of('firing').length === 1, { within: 60_000 });
    figure('F63', `Alertmanager is back after a minute: it has the alert ${Date.now() - backAt} ms later`);
    providers.push(await startProvider());
    await eventually(() => hook.of('resolved').length === 1, { within: 60_000 });
    expect(hook.received).toHaveLength(2);
  }, 240_000);
});
