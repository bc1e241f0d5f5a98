import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ConsulModule, DiscoveryService, RegistrationService, StaticSource } from '@rookery/consul';
import { readPage, shownExamples, startTestConsul, type TestConsul } from '@rookery/test-support';
import { rootModule, startApp } from './test-app.js';

/** The pages show the options that run here: the text between the marks must occur in them word for word. */
describe('the options that the documentation shows', () => {
  let consul: TestConsul;
  beforeAll(async () => {
    consul = await startTestConsul();
    process.env.CONSUL_HTTP_ADDR = consul.url;
  });
  afterAll(async () => {
    delete process.env.CONSUL_HTTP_ADDR;
    await consul.stop();
  });

  it('register a service with every one of them', async () => {
    // registration.md: service
    const inventory = ConsulModule.forRoot({
      service: {
        name: 'inventory',
        tags: ['v1'],
        meta: { version: '1.2.0' },
        zone: 'eu-1a',
        weights: { passing: 10, warning: 1 },
        preferredNetworks: ['10.0.0.0/8', '127.0.0.0/8'],
        taggedAddresses: { wan: { address: '203.0.113.7', port: 443 } },
        registrationDelay: '100ms',
        check: [
          { type: 'http', interval: '10s', timeout: '2s', failuresBeforeCritical: 2 },
          { type: 'ttl', ttl: '36s', heartbeat: 'main-thread', id: 'alive' },
        ],
      },
      startup: 'fail-fast',
      health: {
        path: '/health',
        timeout: '1s',
        cache: '1s',
        exposure: 'loopback',
        degradedAbove: { eventLoopLag: '500ms', heapUsed: 0.9 },
      },
      shutdown: {
        deregisterTimeout: '3s',
        drainTimeout: '10s',
        inFlightTimeout: '30s',
        timeout: '45s',
        deregister: true,
      },
    });
    // registration.md: end
    const { app, port } = await startApp(rootModule([inventory]));
    await app.get(RegistrationService).whenRegistered();
    const { body } = await consul.request('GET', '/v1/health/service/inventory');
    expect(body).toMatchObject([
      {
        Service: {
          Port: port,
          Address: expect.stringMatching(/^(10|127)\./) as unknown,
          Tags: ['v1'],
          Meta: { version: '1.2.0', zone: 'eu-1a' },
          Weights: { Passing: 10, Warning: 1 },
          TaggedAddresses: { wan: { Address: '203.0.113.7', Port: 443 } },
        },
        Checks: expect.arrayContaining([
          expect.objectContaining({ CheckID: expect.stringMatching(/:http-1$/) as unknown }),
          expect.objectContaining({ CheckID: expect.stringMatching(/:alive$/) as unknown }),
        ]) as unknown,
      },
    ]);
    await app.close();
  });

  it('look services up with every one of them', async () => {
    // outages.md: discovery
    const discovery = ConsulModule.forRoot({
      agent: { url: ['http://127.0.0.1:8500', 'http://127.0.0.2:8500'], maxConnections: 92 },
      discovery: {
        initialListTimeout: '5s',
        sources: ['registry', new StaticSource({ billing: ['10.0.0.7:3000'] })],
        merge: 'first',
        snapshotDirectory: '/tmp/rookery-snapshots',
        endpoint: { path: '/discovery', exposure: 'loopback' },
      },
    });
    // outages.md: end
    // Whether something listens at port 8500 of this machine does not matter: the static list is there in any case.
    const { app, url } = await startApp(rootModule([discovery]));
    const [billing] = await app.get(DiscoveryService).getInstances('billing');
    expect(billing).toMatchObject({ address: '10.0.0.7', port: 3000 });
    const shown = (await (await fetch(`${url}/discovery/billing`)).json()) as { services: unknown[] };
    expect(shown.services).toHaveLength(1);
    await app.close();
    rmSync('/tmp/rookery-snapshots', { recursive: true, force: true });
  });

  it('call others with every one of them', async () => {
    // balancing.md: calling
    const calling = ConsulModule.forRoot({
      clients: {
        timeout: '10s',
        attemptTimeout: '5s',
        retries: 1,
        strategy: 'p2c-ewma',
        hedge: false,
        maxContentLength: 67_108_864,
        streamIdleTimeout: '60s',
        contextPath: false,
        redirects: 'instance',
        maxConnections: 64,
        slowStart: true,
        outlierDetection: {
          consecutiveFailures: 5,
          baseEjectionTime: '30s',
          maxEjectionTime: '5m',
          successRate: true,
        },
        retryBudget: { ratio: 0.2, perSecond: 10 },
        zone: 'eu-1a',
        services: {
          search: {
            timeout: '2s',
            circuitBreaker: { failureRate: 0.5, minimumCalls: 20, window: '10s', openFor: '5s' },
            bulkhead: { concurrency: 'adaptive', queue: 50 },
          },
        },
      },
    });
    // balancing.md: end
    const { app } = await startApp(rootModule([calling]));
    await consul.request('PUT', '/v1/agent/service/register', { Name: 'search', Port: 3000 });
    const discovery = app.get(DiscoveryService);
    expect(await discovery.call('search', async ({ port }) => port)).toBe(3000);
    // Its circuit breaker opens with the numbers shown.
    const failing = async (): Promise<never> =>
      Promise.reject(Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' }));
    for (let n = 0; n < 25; n++) await discovery.call('search', failing).catch(() => undefined);
    await expect(discovery.call('search', failing)).rejects.toMatchObject({ code: 'RK_CIRCUIT_OPEN' });
    await app.close();
  });

  it.each(shownExamples(import.meta.url))(
    'are on their page, word for word: $page, $name',
    ({ page, text }) => {
      expect(readPage(page)).toContain(text);
    },
  );
});
