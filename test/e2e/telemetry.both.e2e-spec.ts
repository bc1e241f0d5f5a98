import { SpanKind } from '@opentelemetry/api';
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  ConsulClient,
  ConsulModule,
  DiscoveryService,
  LockService,
  RegistrationService,
} from '@rookery/consul';
import { eventually, startTestConsul, type TestConsul } from '@rookery/test-support';
import { rootModule, startApp, type TestApp } from './test-app.js';
import { TelemetrySdk } from './telemetry-sdk.js';

describe('OpenTelemetry, on Consul', () => {
  let consul: TestConsul;
  let sdk: TelemetrySdk;
  let started: TestApp | undefined;
  beforeEach(async () => {
    consul = await startTestConsul();
    sdk = new TelemetrySdk().start();
  });
  afterEach(async () => {
    await started?.app.close();
    started = undefined;
    sdk.stop();
    await consul.stop();
  });
  const start = async (): Promise<TestApp> => {
    const service = { name: 'inventory' };
    const url = consul.url;
    started = await startApp(rootModule([ConsulModule.forRoot({ agent: { url }, service })]));
    await started.app.get(RegistrationService).whenRegistered();
    return started;
  };
  const value = async (metric: string, attributes: object = {}): Promise<number | undefined> => {
    const points = await sdk.points(metric);
    const wanted = Object.entries(attributes);
    return points.find((point) => wanted.every(([name, each]) => point.attributes[name] === each))?.value;
  };

  it('tells of the registration, its repairs, the lists and the requests to Consul', async () => {
    const { app } = await start();
    await app.get(DiscoveryService).getInstances('inventory');
    const service = { 'rookery.service': 'inventory' };
    expect(await value('rookery.registration.registered', service)).toBe(1);
    await eventually(
      async () =>
        (await value('rookery.instances', { ...service, 'rookery.instance.status': 'passing' })) === 1,
    );
    expect(await value('rookery.instances.usable', service)).toBe(1);
    expect(await value('rookery.snapshot.age', service)).toBeLessThan(60);
    const { id = '' } = app.get(RegistrationService).instance;
    await consul.request('PUT', `/v1/agent/service/deregister/${id}`);
    await eventually(async () => (await value('rookery.registration.repairs', service)) === 1, {
      within: 20_000,
    });
    const operation = (name: string, isBlocking = false) =>
      value('rookery.registry.request.duration', {
        'rookery.registry.operation': name,
        'rookery.registry.blocking': isBlocking,
      });
    expect(await operation('PUT agent/service/register')).toBeGreaterThanOrEqual(2);
    await eventually(async () => Number(await operation('GET health/service', true)) > 0);
    expect(await value('rookery.events', { 'rookery.event.type': 'registration.lost' })).toBe(1);
    const names = (await sdk.points('rookery.registry.request.duration')).map(({ attributes }) =>
      String(attributes['rookery.registry.operation']),
    );
    for (const name of names) expect(name).not.toMatch(/inventory/);
  });

  it('tells of locks, and of requests that fail', async () => {
    const { app } = await start();
    const locks = app.get(LockService);
    await locks.withLock('jobs/report', async () => {
      expect(await value('rookery.locks.held')).toBe(1);
    });
    expect(await value('rookery.locks.held')).toBe(0);
    expect(await value('rookery.lock.wait.duration')).toBe(1);
    const missing = app.get(ConsulClient).agent.service('none');
    await missing.catch(() => undefined);
    await expect(app.get(ConsulClient).kv.get('a', { datacenter: 'dc9' })).rejects.toThrow();
    const failed = await sdk.points('rookery.registry.request.duration');
    expect(failed.map(({ attributes }) => attributes['error.type'])).toContain('RK_UNKNOWN_DATACENTER');
  });

  it('begins no trace for requests that are a part of none', async () => {
    const instrumentation = new UndiciInstrumentation();
    instrumentation.enable();
    try {
      const { app } = await start();
      await app.get(DiscoveryService).getInstances('inventory');
      await eventually(async () => Number(await value('rookery.registry.request.duration')) > 0);
      expect(sdk.spans(SpanKind.CLIENT).map(({ attributes }) => attributes['url.full'])).toEqual([]);
    } finally {
      instrumentation.disable();
    }
  });
});
