import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, RecordingLogger, settle } from '@rookery/test-support';
import { ServiceCatalog } from '../catalog/service-catalog.js';
import { InMemoryRegistry } from '../registry/in-memory-registry.js';
import { Reachability } from '../registry/reachability.js';
import type { ServiceInstance } from '../registry/service-instance.js';
import type { DiscoveryEvent } from '../events/discovery-event.js';
import { CallError } from './call-error.js';
import type { ClientsOptions } from './client-options.js';
import type { CallOptions } from './call-options.js';
import { ServiceCaller } from './service-caller.js';

const refused = (): Error => Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
const reset = (): Error => Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });

describe('ServiceCaller', () => {
  let clock: FakeClock;
  let registry: InMemoryRegistry;
  let catalog: ServiceCatalog;
  let caller: ServiceCaller;
  const events: DiscoveryEvent[] = [];
  const callers: ServiceCaller[] = [];
  const createCaller = (clients: ClientsOptions): ServiceCaller => {
    const created = new ServiceCaller(catalog, {
      clock,
      random: () => 0,
      clients,
      zone: undefined,
      callers: () => undefined,
      probe: undefined,
      emit: (event) => events.push(event),
      onUnused: () => undefined,
    });
    callers.push(created);
    return created;
  };

  beforeEach(() => {
    clock = new FakeClock();
    registry = new InMemoryRegistry();
    const logger = new RecordingLogger();
    catalog = new ServiceCatalog(registry, {
      clock,
      random: () => 0,
      logger,
      reachability: new Reachability(),
      probe: async () => 'answers',
      firstListTimeout: 1_000,
    });
    events.length = 0;
    caller = createCaller({ strategy: 'round-robin' });
    for (const port of [1, 2, 3]) registry.put({ service: 'inventory', port });
  });
  afterEach(async () => {
    for (const created of callers.splice(0)) created.close();
    await catalog.close();
    await settle();
    expect(clock.pending).toBe(0);
  });

  it('takes the instances in turn, and asks the registry only once', async () => {
    const ports: number[] = [];
    for (let n = 0; n < 6; n++) {
      await caller.call('inventory', async ({ port }) => ports.push(port));
    }
    expect(ports).toEqual([2, 3, 1, 2, 3, 1]);
    expect(registry.requests.watch).toBe(1);
  });

  it('goes to the next instance when nothing was sent, and says what it tried', async () => {
    const { value, call } = await caller.call('inventory', async ({ port }: ServiceInstance) => {
      if (port !== 1) throw refused();
      return 'answer';
    });
    expect(value).toBe('answer');
    expect(call.attempts.map(({ instance, reason }) => [instance, reason])).toEqual([
      ['inventory-2', 'connect ECONNREFUSED'],
      ['inventory-3', 'connect ECONNREFUSED'],
      ['inventory-1', undefined],
    ]);
  });

  it('does not repeat what may have been sent', async () => {
    let attempts = 0;
    const call = caller.call('inventory', async () => {
      attempts++;
      throw reset();
    });
    await expect(call).rejects.toMatchObject({ code: 'RK_CALL_FAILED', cause: { code: 'ECONNRESET' } });
    expect(attempts).toBe(1);
  });

  it('does not repeat a call whose body can be read only once', async () => {
    let attempts = 0;
    const attempt = async (): Promise<never> => {
      attempts++;
      throw refused();
    };
    await expect(caller.call('inventory', attempt, { repeatable: false })).rejects.toBeInstanceOf(CallError);
    expect(attempts).toBe(1);
  });

  it('lists every attempt when all instances refuse', async () => {
    const error: unknown = await caller
      .call('inventory', async () => Promise.reject(refused()))
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CallError);
    expect((error as CallError).call.attempts).toHaveLength(3);
    expect((error as CallError).message).toMatch(
      /call to "inventory" failed: inventory-2 at 127\.0\.0\.1:2: connect ECONNREFUSED after 0 ms; inventory-3/,
    );
  });

  it('ends an attempt that ignores its deadline, and tells it so', async () => {
    let seen: AbortSignal | undefined;
    const call = caller.call(
      'inventory',
      (_, signal) => {
        seen = signal;
        return new Promise(() => undefined);
      },
      { attemptTimeout: '2s' },
    );
    const failure = call.catch((error: unknown) => error);
    await clock.advance(1_999);
    expect(seen?.aborted).toBe(false);
    await clock.advance(1);
    expect(seen?.aborted).toBe(true);
    expect(await failure).toMatchObject({ code: 'RK_CALL_TIMEOUT' });
  });

  it('bounds the whole call, all attempts together', async () => {
    const slowRefusal = (_: ServiceInstance, signal: AbortSignal): Promise<never> =>
      new Promise((_resolve, reject) => {
        const cancel = clock.after(700, () => reject(refused()));
        signal.addEventListener('abort', cancel);
      });
    const call = caller.call('inventory', slowRefusal, { timeout: '1s' });
    const failure = call.catch((error: unknown) => error);
    await clock.advance(1_000);
    expect(await failure).toMatchObject({ code: 'RK_CALL_TIMEOUT' });
  });

  it("ends with the caller's signal, whatever the attempt does", async () => {
    const aborting = new AbortController();
    const call = caller.call('inventory', () => new Promise(() => undefined), { signal: aborting.signal });
    await settle();
    aborting.abort(new Error('the user went away'));
    await expect(call).rejects.toThrow('the user went away');
  });

  it('takes one that is warning in need, and says what the registry knows when none may be used', async () => {
    for (const port of [1, 2, 3])
      registry.setStatus(`inventory-${port}`, port === 3 ? 'warning' : 'critical');
    const { call } = await caller.call('inventory', async () => 1);
    expect(call.attempts[0]?.instance).toBe('inventory-3'); // in need
    registry.setStatus('inventory-3', 'maintenance');
    await clock.advance(1_000);
    await expect(caller.call('inventory', async () => 1)).rejects.toThrow(
      /no usable instance of "inventory"\. The registry knows of 2 critical, 1 maintenance/,
    );
    await expect(caller.choose('nobody')).rejects.toMatchObject({ code: 'RK_NO_INSTANCES' });
  });

  it('refuses an option that it does not know, and says why a query finds nobody', async () => {
    const typo = caller.call('inventory', async () => 1, { qeury: {} } as CallOptions);
    await expect(typo).rejects.toThrow(/call\.qeury: unknown option/);
    const none = caller.call('inventory', async () => 1, { query: { version: '^9' } });
    await expect(none).rejects.toThrow(/None matches; discovery\.explain\('inventory', query\) tells why/);
  });

  it('F08 the registry is away for an hour: no call fails, and the age of the list rises', async () => {
    await caller.call('inventory', async () => 1);
    registry.fail();
    let age = 0;
    for (let second = 0; second < 3_600; second++) {
      await clock.advance(1_000);
      const { call } = await caller.call('inventory', async () => 1);
      expect(call.attempts).toHaveLength(1);
      if (second % 600 > 0) continue;
      const snapshot = await catalog.snapshot('inventory');
      expect(snapshot.age).toBeGreaterThan(age);
      ({ age } = snapshot);
    }
    expect(age).toBeGreaterThan(3_000_000 - 1);
  });
});
