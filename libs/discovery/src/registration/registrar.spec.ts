import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, RecordingLogger, settle } from '@rookery/test-support';
import { InMemoryRegistry } from '../registry/in-memory-registry.js';
import { Reachability } from '../registry/reachability.js';
import type { ServiceRegistration } from '../registry/service-registration.js';
import { Registrar } from './registrar.js';

const ID = 'inventory-host-3000';

describe('Registrar', () => {
  let clock: FakeClock;
  let registry: InMemoryRegistry;
  let logger: RecordingLogger;
  let notReady: string | undefined;
  let registrar: Registrar;
  let reachability: Reachability;
  const isRegistered = async (): Promise<boolean> => 'inventory' in (await registry.services());

  beforeEach(() => {
    clock = new FakeClock();
    registry = new InMemoryRegistry();
    logger = new RecordingLogger();
    notReady = undefined;
    reachability = new Reachability();
    const describeIt = (status: ServiceRegistration['status']): ServiceRegistration => ({
      id: ID,
      service: 'inventory',
      address: undefined,
      port: 3000,
      secure: false,
      tags: [],
      meta: {},
      weights: undefined,
      checks: [],
      status,
    });
    registrar = new Registrar(registry, describeIt, {
      clock,
      random: () => 1,
      logger,
      reachability,
      deregisterTimeout: 3_000,
      notReady: async () => notReady,
    });
  });

  it('registers, and leaves when it stops', async () => {
    registrar.start();
    await settle();
    expect(registrar.status$.value).toEqual({ state: 'registered', id: ID, reason: undefined });
    expect(await isRegistered()).toBe(true);
    await registrar.stop();
    expect(await isRegistered()).toBe(false);
    expect(registrar.status$.value.state).toBe('deregistered');
    expect(clock.pending).toBe(0);
  });

  it('does not register an app that is not ready, and does as soon as it is', async () => {
    notReady = 'database is down';
    registrar.start();
    await clock.advance(10_000);
    expect(await isRegistered()).toBe(false);
    expect(registrar.status$.value).toMatchObject({ state: 'waiting', reason: 'database is down' });
    expect(logger.matching(/not ready: database is down/)).toHaveLength(1);
    notReady = undefined;
    await clock.advance(1_000);
    expect(await isRegistered()).toBe(true);
    await registrar.stop();
  });

  it('keeps trying while the registry is away, says so once, and registers when it is back', async () => {
    registry.fail();
    registrar.start();
    await clock.advance(120_000);
    expect(logger.matching(/warn cannot keep "inventory-host-3000" registered/)).toHaveLength(1);
    expect(registry.requests.register).toBeLessThanOrEqual(12);
    registry.recover();
    await clock.advance(30_000);
    expect(await isRegistered()).toBe(true);
    await registrar.stop();
  });

  it('does not wait any longer once somebody else has heard from the registry', async () => {
    registry.fail();
    registrar.start();
    await clock.advance(300_000); // by now it pauses for 30 s
    registry.recover();
    reachability.answered();
    await settle();
    expect(await isRegistered()).toBe(true);
    await registrar.stop();
  });

  it('puts back what somebody else removed, but not in a hot loop', async () => {
    registrar.start();
    await settle();
    for (let n = 0; n < 20; n++) {
      registry.remove(ID);
      await clock.advance(100);
    }
    expect(registry.requests.register).toBeLessThanOrEqual(5);
    await clock.advance(500);
    expect(await isRegistered()).toBe(true);
    await registrar.stop();
  });

  it('comes back as critical, not as passing, when the app is not ready at the moment', async () => {
    registrar.start();
    await settle();
    notReady = 'database is down';
    registry.remove(ID);
    await clock.advance(500);
    const statuses: string[] = [];
    for await (const list of registry.watch('inventory', {}, new AbortController().signal)) {
      statuses.push(...list.map(({ status }) => status));
      break;
    }
    expect(statuses).toEqual(['critical']);
    await registrar.stop();
  });

  it('gives up leaving after its deadline when the registry is silent', async () => {
    registrar.start();
    await settle();
    registry.deregister = () => new Promise(() => undefined);
    let stopped = false;
    const stopping = registrar.stop().then(() => (stopped = true));
    await clock.advance(2_999);
    expect(stopped).toBe(false);
    await clock.advance(1);
    await stopping;
    expect(logger.matching(/could not be deregistered .* no answer in 3000 ms/)).toHaveLength(1);
  });

  it('has nothing to leave when it never asked to be registered', async () => {
    notReady = 'never';
    registrar.start();
    await settle();
    await registrar.stop();
    expect(registry.requests.deregister).toBe(0);
  });

  it('can come back after it left', async () => {
    registrar.start();
    await settle();
    await registrar.stop();
    registrar.start();
    await settle();
    expect(await isRegistered()).toBe(true);
    await registrar.stop();
    expect(await isRegistered()).toBe(false);
  });
});
