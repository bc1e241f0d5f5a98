import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, RecordingLogger, settle } from '@rookery/test-support';
import { InMemoryRegistry } from '../testing/in-memory.registry.js';
import { DiscoveryError } from '../errors/discovery-error.js';
import { DiscoveryEvents } from '../events/discovery-events.js';
import { describeEvent } from '../events/describe-event.js';
import type { DiscoveryEvent } from '../events/discovery-event.js';
import { ReconnectSignal } from '../registry/reconnect-signal.js';
import { RegistryReachability } from '../registry/registry-reachability.js';
import type { ServiceRegistration } from '../registry/service-registration.js';
import { delay } from '../timing/clock.js';
import type { HealthReport } from './heartbeat/health-report.js';
import { MainThreadHeartbeats } from './heartbeat/heartbeat.js';
import type { Heartbeats } from './heartbeat/heartbeats.js';
import type { RegistrationSpec } from './describe-registration.js';
import { Registrar } from './registrar.js';

const ID = 'inventory-host-3000';
const CHECK = `${ID}:ttl`;
const UP: HealthReport = { status: 'passing', output: 'all is well' };

describe('Registrar', () => {
  let clock: FakeClock;
  let registry: InMemoryRegistry;
  let logger: RecordingLogger;
  let report: HealthReport;
  let isHolderReachable: boolean;
  let events: DiscoveryEvents;
  let seen: DiscoveryEvent[];
  let registrar: Registrar;
  let reconnectSignal: ReconnectSignal;
  const isRegistered = async (): Promise<boolean> => 'inventory' in (await registry.services());

  beforeEach(() => {
    clock = new FakeClock();
    registry = new InMemoryRegistry();
    logger = new RecordingLogger();
    report = UP;
    isHolderReachable = true;
    events = new DiscoveryEvents();
    seen = [];
    events.events$.subscribe((event) => {
      seen.push(event);
      const line = describeEvent(event);
      if (line) logger[line.level](line.message);
    });
    reconnectSignal = new ReconnectSignal();
    registrar = createRegistrar();
  });

  function createRegistrar(port = 3000, heartbeats?: Heartbeats): Registrar {
    const spec: RegistrationSpec = {
      id: ID,
      service: 'inventory',
      address: undefined,
      port,
      secure: false,
      tags: [],
      enableTagOverride: false,
      meta: {},
      weights: undefined,
      taggedAddresses: {},
      checks: [{ id: CHECK, name: 'TTL', type: 'ttl', ttlMs: 36_000 }],
    };
    const health = async (): Promise<HealthReport> => report;
    const onRecovered = (): void => reconnectSignal.reconnected();
    return new Registrar(registry, spec, {
      clock,
      random: () => 1,
      events,
      reconnectSignal,
      reachability: new RegistryReachability(clock, {
        onUnreachable: (reason) => events.emit({ type: 'registry.unreachable', reason }),
        onReachable: (afterMs) => events.emit({ type: 'registry.reachable', afterMs }),
      }),
      deregisterTimeoutMs: 3_000,
      health,
      isReachable: async () => isHolderReachable,
      heartbeats:
        heartbeats ??
        new MainThreadHeartbeats(registry, { clock, random: () => 1, report: health, onRecovered }),
    });
  }

  it('registers, and deregisters when it stops', async () => {
    registrar.start();
    await settle();
    expect(registrar.status$.value).toEqual({
      state: 'registered',
      id: ID,
      service: 'inventory',
      reason: undefined,
    });
    expect(await isRegistered()).toBe(true);
    await registrar.stop();
    expect(await isRegistered()).toBe(false);
    expect(registrar.status$.value.state).toBe('deregistered');
    expect(clock.pending).toBe(0);
  });

  it('registers an app only once it is ready', async () => {
    report = { status: 'critical', output: 'database is down' };
    registrar.start();
    await clock.advance(10_000);
    expect(await isRegistered()).toBe(false);
    expect(registrar.status$.value).toMatchObject({ state: 'pending', reason: 'database is down' });
    expect(logger.matching(/not ready: database is down/)).toHaveLength(1);
    report = UP;
    await clock.advance(1_000);
    expect(await isRegistered()).toBe(true);
    await registrar.stop();
  });

  it('retries while the registry is unreachable, logs it once, and registers within a second of its return', async () => {
    registry.fail();
    registrar.start();
    await clock.advance(120_000);
    expect(logger.matching(/warn cannot keep "inventory-host-3000" registered/)).toHaveLength(1);
    expect(registry.requests.read).toBeLessThanOrEqual(170);
    registry.recover();
    await clock.advance(1_000);
    expect(await isRegistered()).toBe(true);
    expect(seen.map(({ type }) => type)).toEqual([
      'registration.failed',
      'registry.unreachable',
      'registry.reachable',
      'registration.registered',
    ]);
    await registrar.stop();
  });

  it('retries at once when another component reached the registry', async () => {
    registry.fail();
    registrar.start();
    await clock.advance(300_000); // by now it pauses for 30 s
    registry.recover();
    reconnectSignal.reconnected();
    await settle();
    expect(await isRegistered()).toBe(true);
    await registrar.stop();
  });

  it('F47 reports a check that fails while the app is healthy, after two of its intervals, and its recovery', async () => {
    registrar.start();
    await clock.advance(200);
    const checkEvents = (): string[] =>
      seen.map(({ type }) => type).filter((type) => type.startsWith('check.'));
    const output = 'HTTP /health: 401 Unauthorized';
    registry.edit(ID, { status: 'critical', failing: [{ id: CHECK, output }] });
    registry.setStatus(ID, 'critical');
    await clock.advance(71_000);
    expect(checkEvents()).toEqual([]);
    await clock.advance(2_000);
    expect(seen.find(({ type }) => type === 'check.failed')).toMatchObject({ reason: output });
    expect(registrar.status$.value).toMatchObject({
      state: 'registered',
      reason: `its check fails: ${output}`,
    });
    await clock.advance(300_000);
    expect(checkEvents()).toEqual(['check.failed']);
    registry.setStatus(ID, 'passing');
    await settle();
    expect(checkEvents()).toEqual(['check.failed', 'check.recovered']);
    expect(registrar.status$.value.reason).toBeUndefined();
    await registrar.stop();
    expect(clock.pending).toBe(0);
  });

  it('F47 is registered again as critical when it was removed while it was critical, but not after a new start', async () => {
    // With a check of the registry's own: the next heartbeat of a TTL check would say otherwise.
    const started: string[] = [];
    const register = registry.register.bind(registry);
    registry.register = (registration, signal) => {
      started.push(registration.status);
      return register(registration, signal);
    };
    registrar.start();
    await clock.advance(200);
    registry.setStatus(ID, 'critical');
    await clock.advance(200);
    registry.remove(ID);
    await clock.advance(200);
    expect(started.at(-1)).toBe('critical');
    await registrar.stop();
    registrar.start();
    await clock.advance(200);
    registry.remove(ID);
    await clock.advance(200);
    expect(started.at(-1)).toBe('passing');
    await registrar.stop();
  });

  it('F47 maintenance neither reports a failing check nor its end', async () => {
    registrar.start();
    await clock.advance(200);
    const failing = [{ id: CHECK, output: 'x' }];
    registry.edit(ID, { status: 'critical', failing });
    registry.setStatus(ID, 'critical');
    await clock.advance(80_000);
    registry.setStatus(ID, 'maintenance');
    await clock.advance(1_000);
    const checkEvents = (): string[] =>
      seen.map(({ type }) => type).filter((type) => type.startsWith('check.'));
    expect(checkEvents()).toEqual(['check.failed']);
    registry.setStatus(ID, 'passing');
    await clock.advance(1_000);
    expect(checkEvents()).toEqual(['check.failed', 'check.recovered']);
    await registrar.stop();
    expect(clock.pending).toBe(0);
  });

  it('F47 does not report a check that fails while the app is not healthy, but as soon as it is', async () => {
    registrar.start();
    await clock.advance(200);
    report = { status: 'critical', output: 'database is down' };
    registry.edit(ID, { status: 'critical', failing: [{ id: CHECK, output: 'as it says itself' }] });
    registry.setStatus(ID, 'critical');
    await clock.advance(200_000);
    expect(seen.filter(({ type }) => type === 'check.failed')).toHaveLength(0);
    report = UP;
    await clock.advance(73_000);
    expect(seen.filter(({ type }) => type === 'check.failed')).toHaveLength(1);
    await registrar.stop();
    expect(clock.pending).toBe(0);
  });

  it('F03 repairs at once what another client removed or changed', async () => {
    registrar.start();
    await clock.advance(200);
    registry.remove(ID);
    await settle();
    expect(await isRegistered()).toBe(true);
    await clock.advance(200);
    registry.edit(ID, { port: 4711 });
    await settle();
    expect(registry.record(ID)?.port).toBe(3000);
    expect(logger.matching(/changed externally: port/)).toHaveLength(1);
    expect(seen.filter(({ type }) => type === 'registration.restored')).toHaveLength(2);
    await registrar.stop();
  });

  it('F03 repairs no more than six times a minute in a conflict, which it reports once', async () => {
    registrar.start();
    await clock.advance(200);
    let repairs = 0;
    for (let tick = 0; tick < 1_800; tick++) {
      if (registry.record(ID)) {
        registry.remove(ID);
        repairs++;
      }
      await clock.advance(100);
    }
    expect(repairs).toBeGreaterThan(12);
    expect(registry.requests.register).toBeLessThanOrEqual(3 * 6 + 2);
    expect(seen.filter(({ type }) => type === 'registration.contested')).toHaveLength(1);
    expect(logger.matching(/another writer keeps changing/)).toHaveLength(1);
    await clock.advance(60_000);
    expect(await isRegistered()).toBe(true);
    await registrar.stop();
  });

  it('F20 registers again after an outage at a random moment within a second', async () => {
    registrar.start();
    await clock.advance(200);
    registry.fail();
    await clock.advance(10_000);
    registry.recover();
    registry.remove(ID);
    await clock.advance(750); // the longest pause between two attempts at a registry that refuses
    expect(await isRegistered()).toBe(false);
    await clock.advance(1_000);
    expect(await isRegistered()).toBe(true);
    expect(seen.map(({ type }) => type).slice(-3)).toEqual([
      'registry.reachable',
      'registration.lost',
      'registration.restored',
    ]);
    await registrar.stop();
  });

  it('registers again what the agent has and the catalog lacks', async () => {
    registrar.start();
    await clock.advance(200);
    registry.unlist(ID);
    await settle();
    expect(await isRegistered()).toBe(true);
    await registrar.stop();
  });

  it('F17 does not take over the id of a live instance, and does when that is gone', async () => {
    const other = createRegistrar(4000);
    other.start();
    await settle();
    registrar.start();
    await clock.advance(5_000);
    expect(registry.record(ID)?.port).toBe(4000);
    expect(registrar.status$.value).toMatchObject({ state: 'pending' });
    expect(registrar.status$.value.reason).toMatch(
      /belongs to another live instance .* port 4000; this one .* port 3000/,
    );
    expect(logger.matching(/error "inventory-host-3000" is not registered/)).toHaveLength(1);
    await registrar.stop();
    expect(registry.record(ID)?.port).toBe(4000); // leaving does not deregister the other instance
  });

  it('F17 takes over the id of an instance that does not answer', async () => {
    const other = createRegistrar(4000);
    other.start();
    await settle();
    await other.stopWithoutDeregistering();
    isHolderReachable = false;
    registrar.start();
    await settle();
    expect(registry.record(ID)?.port).toBe(3000);
    await registrar.stop();
  });

  it('keeps maintenance that an operator set over a repair, and forgets it when the operator ends it; events tell of both', async () => {
    const seen = (): object[] => events.history.filter(({ type }) => type.startsWith('maintenance.'));
    registrar.start();
    await clock.advance(200);
    await registry.setMaintenance(ID, 'being looked at');
    await clock.advance(200);
    registry.remove(ID);
    await clock.advance(200);
    expect(registry.record(ID)?.maintenance).toBe('being looked at');
    expect(seen()).toMatchObject([{ type: 'maintenance.started', reason: 'being looked at' }]);
    await registry.setMaintenance(ID, undefined);
    await clock.advance(200);
    registry.remove(ID);
    await clock.advance(200);
    expect(registry.record(ID)?.maintenance).toBeUndefined();
    expect(seen()).toMatchObject([{ type: 'maintenance.started' }, { type: 'maintenance.ended' }]);
    await registrar.stop();
  });

  it('does not end maintenance that an operator sets right after the registration', async () => {
    const register = registry.register.bind(registry);
    registry.register = async (registration) => {
      await register(registration);
      await registry.setMaintenance(ID, 'quick');
    };
    registrar.start();
    await clock.advance(500);
    expect(registry.record(ID)?.maintenance).toBe('quick');
    await registrar.stop();
  });

  it('sets and ends maintenance, and fails when the registry is unreachable', async () => {
    const { signal } = new AbortController();
    registrar.start();
    await clock.advance(200);
    await registrar.setMaintenance('update', signal);
    await clock.advance(200);
    expect(registry.record(ID)?.maintenance).toBe('update');
    registry.fail();
    await expect(registrar.setMaintenance(undefined, signal)).rejects.toMatchObject({
      code: 'RK_REGISTRY_UNREACHABLE',
    });
    registry.recover();
    await clock.advance(1_000);
    expect(registry.record(ID)?.maintenance).toBeUndefined();
    await registrar.stop();
  });

  it('F16 sends heartbeats at once and three times in each TTL, with the health of the app', async () => {
    registrar.start();
    await settle();
    expect(registry.reports).toEqual([{ checkId: CHECK, status: 'passing', output: 'all is well' }]);
    report = { status: 'warning', output: 'cache is degraded' };
    await clock.advance(12_000);
    expect(registry.reports.at(-1)).toMatchObject({ status: 'warning', output: 'cache is degraded' });
    await clock.advance(36_000);
    expect(registry.reports).toHaveLength(5);
    await registrar.stop();
    await clock.advance(60_000);
    expect(registry.reports).toHaveLength(5);
  });

  it('F01 learns from a heartbeat that its check is gone, without the watch', async () => {
    registry.waitForChange = () => new Promise(() => undefined);
    registrar.start();
    await clock.advance(200);
    registry.remove(ID);
    await clock.advance(12_000);
    expect(await isRegistered()).toBe(true);
    registrar.stop().catch(() => undefined);
  });

  it('registers again as critical, not as passing, when the app is not ready', async () => {
    registrar.start();
    await settle();
    report = { status: 'critical', output: 'database is down' };
    registry.remove(ID);
    await clock.advance(500);
    const statuses: string[] = [];
    for await (const { instances } of registry.watch('inventory', {}, new AbortController().signal)) {
      statuses.push(...instances.map(({ status }) => status));
      break;
    }
    expect(statuses).toEqual(['critical']);
    await registrar.stop();
  });

  it('gives up the deregistration at its deadline when the registry is silent', async () => {
    registrar.start();
    await settle();
    registry.deregister = () => new Promise(() => undefined);
    let stopped = false;
    const stopping = registrar.stop().then(() => (stopped = true));
    await clock.advance(2_999);
    expect(stopped).toBe(false);
    await clock.advance(1);
    await stopping;
    expect(logger.matching(/could not be deregistered .* no response in 3000 ms/)).toHaveLength(1);
  });

  it('F18 retries the deregistration while the registry answers with errors, and logs when it failed', async () => {
    registrar.start();
    await clock.advance(200);
    const deregister = registry.deregister.bind(registry);
    let refusals = 2;
    registry.deregister = async (id) => {
      if (refusals-- > 0) throw new DiscoveryError('RK_REGISTRY_NO_LEADER', 'no leader');
      await deregister(id);
    };
    const stopping = registrar.stop();
    await clock.advance(1_000);
    await stopping;
    expect(await isRegistered()).toBe(false);
    expect(registrar.status$.value.state).toBe('deregistered');
  });

  it('deregisters when the registry comes back with its data while the app stops', async () => {
    registrar.start();
    await clock.advance(200);
    registry.fail();
    const stopping = registrar.stop();
    await clock.advance(1_500);
    registry.recover();
    await clock.advance(600);
    await stopping;
    expect(registrar.status$.value.state).toBe('deregistered');
    expect(await isRegistered()).toBe(false);
  });

  it('F18 does not report a failed deregistration as done, and deregisters when asked again', async () => {
    registrar.start();
    await clock.advance(200);
    registry.fail();
    const stopping = registrar.stop();
    await clock.advance(3_000);
    await stopping;
    expect(registrar.status$.value.state).toBe('unconfirmed');
    expect(registrar.wasKnownWithin(0)).toBe(true);
    registry.recover();
    await registrar.stop();
    expect(registrar.status$.value.state).toBe('deregistered');
    expect(await isRegistered()).toBe(false);
    expect(registrar.wasKnownWithin(10_000)).toBe(true);
    await clock.advance(10_000);
    expect(registrar.wasKnownWithin(10_000)).toBe(false);
  });

  it('F13 deregisters at once although a health contributor hangs', async () => {
    registrar.start();
    await clock.advance(200);
    report = new Promise(() => undefined) as never;
    await clock.advance(12_000);
    await registrar.stop();
    expect(await isRegistered()).toBe(false);
  });

  it('F18 lets a registration in progress finish before it deregisters', async () => {
    const register = registry.register.bind(registry);
    registry.register = async (registration: ServiceRegistration) => {
      await delay(clock, 1_000, new AbortController().signal); // the registry executes it, whatever happens to the request
      await register(registration);
    };
    registrar.start();
    await settle();
    const stopping = registrar.stop();
    await clock.advance(1_000);
    await stopping;
    expect(await isRegistered()).toBe(false);
    expect(registry.requests.deregister).toBe(1);
  });

  it('backs off while the registry refuses it, logs it once, and does not claim to have deregistered', async () => {
    registry.register = async () => {
      throw new DiscoveryError('RK_ACL_DENIED', 'permission denied');
    };
    registrar.start();
    await clock.advance(120_000);
    expect(registry.requests.read).toBeLessThanOrEqual(12);
    expect(logger.matching(/this needs manual action.*permission denied/)).toHaveLength(1);
    await registrar.stop();
    expect(registry.requests.deregister).toBe(0);
    expect(seen.map(({ type }) => type)).not.toContain('registration.deregistered');
  });

  it('F01 does not mistake an agent that restarts repeatedly for a conflict', async () => {
    registrar.start();
    for (let restarts = 0; restarts < 20; restarts++) {
      await clock.advance(200);
      registry.restart();
      await clock.advance(1_200);
      expect(await isRegistered()).toBe(true);
    }
    expect(seen.map(({ type }) => type)).not.toContain('registration.contested');
    await registrar.stop();
  });

  it('F01 starts with a short backoff after a long outage has ended', async () => {
    registrar.start();
    await clock.advance(200);
    registry.fail();
    await clock.advance(60_000);
    registry.recover();
    registry.remove(ID);
    const register = registry.register.bind(registry);
    let hiccups = 1;
    registry.register = async (registration: ServiceRegistration) => {
      if (hiccups-- > 0) throw new DiscoveryError('RK_REGISTRY_NO_LEADER', 'no leader yet');
      await register(registration);
    };
    await clock.advance(750 + 1_000 + 500 + 1_000); // refused, spread, hiccup, spread
    expect(await isRegistered()).toBe(true);
    await registrar.stop();
  });

  it('begins no heartbeats for an app that leaves while earlier ones end', async () => {
    const ending: (() => void)[] = [];
    let begun = 0;
    registrar = createRegistrar(3000, {
      start: () => begun++,
      stop: () => new Promise((resolve) => ending.push(resolve)),
    });
    registrar.start();
    await settle();
    expect([begun, ending.length]).toEqual([0, 1]);
    const leaving = registrar.stop();
    for (const end of ending) end();
    await leaving;
    await settle();
    expect(begun).toBe(0);
    expect(await isRegistered()).toBe(false);
  });

  it('F16 logs once when its heartbeats fail, and when they arrive again', async () => {
    registrar.start();
    await clock.advance(200);
    const send = registry.report.bind(registry);
    registry.report = async () => {
      throw new DiscoveryError('RK_REGISTRY_ERROR', 'boom');
    };
    await clock.advance(30_000);
    expect(registrar.status$.value).toMatchObject({ state: 'unconfirmed' });
    expect(logger.matching(/heartbeats do not arrive: boom/)).toHaveLength(1);
    registry.report = send;
    await clock.advance(12_000);
    expect(registrar.status$.value).toMatchObject({ state: 'registered' });
    const beats = seen.map(({ type }) => type).filter((type) => type.startsWith('heartbeat'));
    expect(beats).toEqual(['heartbeat.failed', 'heartbeat.recovered']);
    await registrar.stop();
  });

  it('has nothing to deregister when it never asked to be registered', async () => {
    report = { status: 'critical', output: 'never' };
    registrar.start();
    await settle();
    await registrar.stop();
    expect(registry.requests.deregister).toBe(0);
  });

  it('can register again after it deregistered', async () => {
    registrar.start();
    await settle();
    await registrar.stop();
    registrar.start();
    await settle();
    expect(await isRegistered()).toBe(true);
    await registrar.stop();
    expect(await isRegistered()).toBe(false);
  });

  it('runs one loop, however often it is started', async () => {
    registrar.start();
    registrar.start();
    await clock.advance(200);
    expect([registry.requests.register, registry.requests.waitForChange]).toEqual([1, 1]);
    await registrar.stop();
    expect(seen.map(({ type }) => type)).toEqual(['registration.registered', 'registration.deregistered']);
    expect(seen[0]).toMatchObject({ id: ID, service: 'inventory', registry: 'the in-memory registry' });
  });

  it('ends without deregistering, once, and can be started again', async () => {
    registrar.start();
    await clock.advance(200);
    await Promise.all([registrar.stopWithoutDeregistering(), registrar.stopWithoutDeregistering()]);
    expect([await isRegistered(), registry.requests.deregister]).toEqual([true, 0]);
    expect([registrar.status$.value.state, clock.pending]).toEqual(['deregistered', 0]);
    await registrar.stop();
    expect(registry.requests.deregister).toBe(0);
    const { read } = registry.requests;
    registrar.start();
    await clock.advance(200);
    expect(registry.requests.read).toBeGreaterThan(read);
    expect(registrar.status$.value.state).toBe('registered');
    await registrar.stop();
    expect(await isRegistered()).toBe(false);
  });

  it('does not wait for a request to register when it ends without deregistering', async () => {
    let isAborted = false;
    registry.register = (_registration, signal) =>
      new Promise((_resolve, reject) =>
        signal?.addEventListener('abort', () => {
          isAborted = true;
          reject(signal.reason as Error);
        }),
      );
    registrar.start();
    await settle();
    await registrar.stopWithoutDeregistering();
    expect([isAborted, clock.pending]).toEqual([true, 0]);
  });

  it('sends the same again with other credentials, and says so once', async () => {
    registrar.start();
    await clock.advance(200);
    Object.assign(registry, { credentials: 1 });
    registry.edit(ID, {});
    await clock.advance(500);
    expect(registry.requests.register).toBe(2);
    expect(seen.filter(({ type }) => type === 'registration.refreshed')).toHaveLength(1);
    registry.edit(ID, {});
    await clock.advance(500);
    expect(registry.requests.register).toBe(2);
    await registrar.stop();
  });

  it('tells the others that the registry answers again', async () => {
    let reconnected = 0;
    reconnectSignal.reconnected$.subscribe(() => reconnected++);
    registrar.start();
    await clock.advance(200);
    expect(reconnected).toBe(0);
    registry.fail();
    await clock.advance(5_000);
    registry.recover();
    await clock.advance(1_000);
    // It, and the heartbeat that is sent then.
    expect(reconnected).toBeGreaterThan(0);
    expect(registrar.status$.value.state).toBe('registered');
    await registrar.stop();
  });

  it('leaves a registry alone for as long as it asks, also when another user of it has reconnected', async () => {
    registry.register = async () => {
      throw new DiscoveryError('RK_REGISTRY_ERROR', 'too many requests', { retryAfterMs: 20_000 });
    };
    registrar.start();
    await settle();
    const { read } = registry.requests;
    reconnectSignal.reconnected();
    await clock.advance(19_000);
    expect(registry.requests.read).toBe(read);
    await clock.advance(31_000);
    expect(registry.requests.read).toBeGreaterThan(read);
    await registrar.stop();
  });

  it('waits longer after each refusal, and begins anew once it was registered', async () => {
    const register = registry.register.bind(registry);
    registry.register = async () => Promise.reject(new DiscoveryError('RK_REGISTRY_ERROR', 'boom'));
    const reads = async (ms: number): Promise<number> => {
      const before = registry.requests.read;
      await clock.advance(ms);
      return registry.requests.read - before;
    };
    registrar.start();
    await settle();
    // Half a second, one, two, four, and so on up to half a minute.
    expect([await reads(500), await reads(1_000), await reads(2_000), await reads(4_000)]).toEqual([
      1, 1, 1, 1,
    ]);
    expect(await reads(7_900)).toBe(0);
    registry.register = register;
    await clock.advance(30_000);
    expect(registrar.status$.value.state).toBe('registered');
    registry.register = async () => Promise.reject(new DiscoveryError('RK_REGISTRY_ERROR', 'boom'));
    registry.remove(ID);
    await clock.advance(1_000);
    expect(await reads(500)).toBeGreaterThanOrEqual(1);
    await registrar.stop();
  });

  it('reads no more often than ten times a second when the registry reports a change at once', async () => {
    registry.waitForChange = async () => {
      registry.requests.waitForChange++;
      return 'changed';
    };
    registrar.start();
    await clock.advance(1_000);
    expect(registry.requests.waitForChange).toBeLessThanOrEqual(10);
    expect(registry.requests.waitForChange).toBeGreaterThan(5);
    registrar.stop().catch(() => undefined);
    await clock.advance(3_000);
  });

  it('leaves the id to another instance for ten seconds, and looks again then', async () => {
    const other = createRegistrar(4000);
    other.start();
    await settle();
    registrar.start();
    await clock.advance(1_000);
    const { read } = registry.requests;
    await other.stop();
    await clock.advance(8_000);
    expect(registry.record(ID)).toBeUndefined();
    expect(registry.requests.read).toBe(read);
    await clock.advance(2_000);
    expect(registry.record(ID)?.port).toBe(3000);
    await registrar.stop();
  });

  it('says nothing of a check that fails, once it is stopped', async () => {
    registrar.start();
    await clock.advance(200);
    registry.edit(ID, { status: 'critical', failing: [{ id: CHECK, output: 'x' }] });
    registry.setStatus(ID, 'critical');
    await clock.advance(1_000);
    await registrar.stopWithoutDeregistering();
    await clock.advance(200_000);
    expect(seen.filter(({ type }) => type === 'check.failed')).toHaveLength(0);
    expect(clock.pending).toBe(0);
  });

  it('tells what the last attempt to leave met, and not only that it took too long', async () => {
    registrar.start();
    await clock.advance(200);
    registry.deregister = async () =>
      Promise.reject(new DiscoveryError('RK_REGISTRY_NO_LEADER', 'no leader'));
    const stopping = registrar.stop();
    await clock.advance(3_000);
    await stopping;
    expect(logger.matching(/could not be deregistered .*no leader/)).toHaveLength(1);
    await clock.advance(60_000);
    expect(clock.pending).toBe(0);
  });
});
