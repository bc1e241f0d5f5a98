import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  AlertsModule,
  alertmanagerSink,
  ConsulModule,
  DiscoveryEvents,
  DiscoveryService,
  LockService,
  RegistrationService,
  webhookSink,
  type AlertRule,
  type AlertRuleOptions,
} from '@rookery/consul';
import { eventually, startTestConsul, type TestConsul } from '@rookery/test-support';
import { AlertHook } from './alert-hook.js';
import { rootModule, startApp, type TestApp } from './test-app.js';

describe('alerts', () => {
  let consul: TestConsul;
  let hook: AlertHook;
  const apps: TestApp[] = [];
  beforeEach(async () => {
    consul = await startTestConsul();
    hook = await AlertHook.start();
  });
  afterEach(async () => {
    await Promise.all(apps.splice(0).map(({ app }) => app.close()));
    hook.stop();
    await consul.stop();
  });

  const quick = { for: '200ms', keepFiringFor: '200ms' } as const;
  const start = async (
    rules: readonly (AlertRuleOptions | AlertRule)[],
    service = 'watcher',
  ): Promise<TestApp> => {
    const sinks = [webhookSink({ url: hook.url })];
    const id = `${service}-${apps.length}`;
    const started = await startApp(
      rootModule([
        ConsulModule.forRoot({
          agent: { url: consul.url },
          service: { name: service, id },
          shutdown: { drainTimeout: 0 },
        }),
        AlertsModule.forRoot({ rules, sinks, interval: '100ms', groupWait: '50ms' }),
      ]),
    );
    apps.push(started);
    await started.app.get(RegistrationService).whenRegistered();
    return started;
  };
  const register = (n: number, status: 'passing' | 'critical') =>
    consul.request('PUT', '/v1/agent/service/register', {
      Name: 'inventory',
      ID: `inventory-${n}`,
      Address: '127.0.0.1',
      Port: 3000 + n,
      Check: { CheckID: `check-${n}`, TTL: '1h', Status: status },
    });
  const set = (n: number, status: 'pass' | 'fail') =>
    consul.request('PUT', `/v1/agent/check/${status}/check-${n}`);

  it('fires when an instance fails and resolves when it is back; of five replicas one sends', async () => {
    await register(1, 'passing');
    await register(2, 'passing');
    const rule = { type: 'instances', service: 'inventory', atLeast: 2, ...quick } as const;
    for (let n = 0; n < 5; n++) await start([rule]);
    const fired = () => apps.map(({ app }) => app.get(AlertsModule).firing.length);
    await set(2, 'fail');
    await eventually(() => fired().every((count) => count === 1), { within: 20_000 });
    await eventually(() => hook.received.length > 0, { within: 20_000 });
    await set(2, 'pass');
    await eventually(() => fired().every((count) => count === 0), { within: 20_000 });
    await eventually(() => hook.of('resolved').length > 0, { within: 20_000 });
    expect(hook.received.map(({ status, name, labels }) => ({ status, name, labels }))).toEqual([
      { status: 'firing', name: 'RookeryTooFewInstances', labels: { service: 'inventory' } },
      { status: 'resolved', name: 'RookeryTooFewInstances', labels: { service: 'inventory' } },
    ]);
  }, 90_000);

  it('is silent in maintenance and during a deploy', async () => {
    await register(1, 'passing');
    await register(2, 'passing');
    const { app } = await start([{ type: 'instances', service: 'inventory', atLeast: 2, ...quick }]);
    const count = async (expected: number) =>
      eventually(async () => (await app.get(DiscoveryService).getInstances('inventory')).length === expected);
    await count(2);
    await consul.request('PUT', '/v1/agent/service/maintenance/inventory-2?enable=true&reason=disk');
    await count(1);
    await delay(1_000);
    expect(app.get(AlertsModule).firing).toEqual([]);
    await consul.request('PUT', '/v1/agent/service/maintenance/inventory-2?enable=false');
    await count(2);
    await consul.request('PUT', '/v1/agent/service/deregister/inventory-2');
    await count(1);
    await delay(1_000);
    expect(app.get(AlertsModule).firing).toEqual([]);
    // One that fails while the other is gone is not a part of the deploy.
    await set(1, 'fail');
    await eventually(() => app.get(AlertsModule).firing.length === 1, { within: 40_000 });
  }, 90_000);

  it('knows failing calls, its registration, locks and configuration, and rules of its own', async () => {
    const own: AlertRule = {
      name: 'NoPeers',
      evaluate: ({ services }) =>
        services.some(({ name }) => name === 'inventory')
          ? []
          : [{ labels: { kind: 'own' }, summary: 'it calls nothing' }],
    };
    const broken: AlertRule = {
      name: 'Broken',
      evaluate: () => {
        throw new Error('a rule that throws');
      },
    };
    const rules = [
      { type: 'errors', minimumCalls: 5, ...quick },
      { type: 'lock', ...quick },
      own,
      broken,
    ] as const;
    const { app, logger } = await start(rules, 'shop');
    const firing = () =>
      app.get(AlertsModule).firing.map(({ name, labels }) => `${name} ${Object.values(labels).join(' ')}`);
    await eventually(() => firing().includes('NoPeers own'));
    const attempt = async (): Promise<never> => {
      throw Object.assign(new Error('unavailable'), { status: 503 });
    };
    for (let n = 0; n < 10; n++)
      await app
        .get(DiscoveryService)
        .call('shop', attempt)
        .catch(() => undefined);
    await eventually(() => firing().includes('RookeryCallsFailing shop shop'), { within: 20_000 });
    const lock = await app.get(LockService).acquire('jobs/1', { warnAfter: '100ms' });
    await eventually(() => firing().includes('RookeryLockHeldTooLong jobs/1 shop'), { within: 20_000 });
    await lock.release();
    await eventually(() => !firing().some((name) => name.startsWith('RookeryLock')), { within: 20_000 });
    expect(logger.matching(/the alert rule Broken threw.*a rule that throws/)).toHaveLength(1);
    expect(logger.matching(/error RookeryCallsFailing: \d+ % of the calls to "shop" fail/)).toHaveLength(1);
    const types = app.get(DiscoveryEvents).history.map(({ type }) => type);
    expect(types).toEqual(expect.arrayContaining(['alert.firing', 'alert.resolved']));
    const body = (await (await fetch(`${apps[0]?.url ?? ''}/discovery`)).json()) as {
      alerts: { firing: unknown[] };
    };
    expect(body.alerts.firing.length).toBeGreaterThan(0);
  }, 60_000);

  it('refuses wrong options with all of their errors', async () => {
    const wrong = AlertsModule.forRoot({
      rules: [
        { type: 'instances', atLeast: 0 } as never,
        { type: 'latency' } as never,
        { type: 'nonsense' } as never,
      ],
      sinks: [alertmanagerSink({ url: 'http://127.0.0.1:9093' })],
    });
    const starting = startApp(rootModule([ConsulModule.forRoot({ agent: { url: consul.url } }), wrong]));
    await expect(starting).rejects.toThrow(
      /AlertsModule: \d options are wrong[^]*rules\.0\.service[^]*rules\.0\.atLeast = 0[^]*rules\.1\.above: is missing[^]*rules\.2[^]*its type must be/,
    );
    const twice = AlertsModule.forRoot({
      rules: [{ type: 'errors' }, { type: 'errors', service: 'a', above: 0.5 }],
    });
    const other = startApp(rootModule([ConsulModule.forRoot({ agent: { url: consul.url } }), twice]));
    await expect(other).rejects.toThrow(/rules\.1 = "RookeryCallsFailing": is there twice for a service/);
  });
});
