import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, RecordingLogger, settle } from '@rookery/test-support';
import { ServiceCatalog } from '../catalog/service-catalog.js';
import type { DiscoveryEvent } from '../events/discovery-event.js';
import { ReconnectSignal } from '../registry/reconnect-signal.js';
import { InMemoryRegistry } from '../testing/in-memory.registry.js';
import { serviceSettings } from './options/call-settings.js';
import type { ClientsOptions } from './options/client-options.js';
import { ServiceContext, type ContextPoolOptions, type QueryPool } from './service-context.js';

describe('ServiceContext', () => {
  let clock: FakeClock;
  let registry: InMemoryRegistry;
  let catalog: ServiceCatalog;
  let events: DiscoveryEvent[];
  let context: ServiceContext;

  beforeEach(() => {
    clock = new FakeClock();
    registry = new InMemoryRegistry();
    events = [];
    catalog = new ServiceCatalog(registry, {
      ...{ clock, random: () => 0, logger: new RecordingLogger(), reconnectSignal: new ReconnectSignal() },
      ...{ probe: async () => 'reachable' as const, initialListTimeoutMs: 1_000 },
    });
    for (const port of [1, 2]) registry.put({ service: 'inventory', port, tags: [`t${port}`, 'all'] });
  });
  afterEach(async () => {
    context.close();
    await catalog.close();
    await settle();
    expect(clock.pending).toBe(0);
  });

  const open = (clients: ClientsOptions = {}, more: Partial<ContextPoolOptions> = {}): ServiceContext =>
    (context = new ServiceContext('inventory', catalog, serviceSettings(clients, 'inventory'), clock, {
      ...{ clock, random: () => 0, zone: undefined, callers: () => undefined, probe: undefined },
      emit: (event) => events.push(event),
      onUnused: () => undefined,
      ...more,
    }));
  const filled = async (query?: { tags: string[] }): Promise<QueryPool> => {
    const opened = context.poolFor(query);
    opened.pool.update(await context.initialList(opened.view));
    return opened;
  };
  const eject = (of: QueryPool): string => {
    const [target] = of.pool.usable;
    if (!target) throw new Error('there is none');
    of.pool.backOff(target, 'asked for it', 60_000);
    return target.instance.id;
  };

  it('has one pool for each query, and one for all calls without any', async () => {
    open();
    const plain = context.poolFor(undefined);
    expect(context.poolFor({})).toBe(plain);
    const tagged = context.poolFor({ tags: ['t1'] });
    expect(tagged).not.toBe(plain);
    expect(context.poolFor({ tags: ['t1'] })).toBe(tagged);
    expect(context.findPool({})).toBe(plain);
    expect(context.findPool({ tags: ['t1'] })).toBe(tagged);
    expect(context.findPool({ tags: ['t2'] })).toBeUndefined();
    expect(() => context.poolFor({ near: '_agent' })).toThrow(/query\.near/);
  });

  it('opens its view again when it was closed meanwhile, with the same pool', async () => {
    open();
    const opened = await filled();
    const { view, pool } = opened;
    expect(context.poolFor(undefined).view).toBe(view);
    await clock.advance(30 * 60_000);
    expect(view.isClosed).toBe(true);
    const again = context.poolFor(undefined);
    expect([again.view === view, again.view.isClosed, again.pool === pool]).toEqual([false, false, true]);
  });

  it('keeps a thousand queries, and lets go of one without instances', async () => {
    open();
    const used = await filled({ tags: ['t1'] });
    for (let n = 0; n < 1_000; n++) context.poolFor({ tags: [`none-${n}`] });
    expect(context.findPool({ tags: ['none-0'] })).toBeUndefined();
    expect(context.findPool({ tags: ['none-1'] })).toBeDefined();
    expect(context.findPool({ tags: ['t1'] })).toBe(used);
    expect(used.pool.usable).toHaveLength(1);
  });

  it('keeps a new query where all others have instances', async () => {
    open();
    const list = await context.initialList((await filled({ tags: ['t1'] })).view);
    for (let n = 0; n < 1_000; n++) context.poolFor({ tags: [`some-${n}`] }).pool.update(list);
    const newest = context.poolFor({ tags: ['t2'] });
    expect(context.findPool({ tags: ['t2'] })).toBe(newest);
    expect(context.poolFor({ tags: ['t2'] })).toBe(newest);
  });

  it('is unused for as long as it has no targets', async () => {
    open();
    expect(context.isUnused).toBe(true);
    context.poolFor(undefined);
    expect(context.isUnused).toBe(true);
    await filled();
    expect(context.isUnused).toBe(false);
    context.close();
    open();
    context.poolFor({ tags: ['t1'] });
    expect(context.isUnused).toBe(false);
  });

  it('tells the load of all queries, and which instances are ejected, and takes them back', async () => {
    open();
    expect([context.load, context.ejectedIds]).toEqual([{ inFlight: 0, ejected: 0 }, '']);
    expect(context.uneject('inventory-1', 'by hand')).toBe(false);
    const plain = await filled();
    const tagged = await filled({ tags: ['all'] });
    for (const { pool } of [plain, tagged, tagged]) {
      const [target] = pool.usable;
      if (target) pool.begin(target);
    }
    const id = eject(plain);
    eject(tagged);
    expect([context.load, context.ejectedIds]).toEqual([{ inFlight: 3, ejected: 2 }, id]);
    expect(context.uneject('another', 'by hand')).toBe(false);
    expect(context.uneject(id, 'by hand')).toBe(true);
    expect([context.load.ejected, context.ejectedIds]).toEqual([0, '']);
    for (const { pool } of [plain, tagged, tagged]) {
      const [target] = pool.usable;
      if (target) pool.report(target, 1, 'success', { reason: '', isRefusal: false });
    }
  });

  it('has the settings of a client, computed once', () => {
    open();
    const defaults = { retries: 7 };
    const settings = context.settingsWith(defaults);
    expect(settings.retries).toBe(7);
    expect(context.settingsWith(defaults)).toBe(settings);
    expect(context.settingsWith({ retries: 7 })).not.toBe(settings);
    expect(context.settingsWith(undefined)).toBe(context.settings.call);
  });

  it('tells its limits', () => {
    expect(open().limits).toBeUndefined();
    expect([context.breaker, context.bulkhead]).toEqual([undefined, undefined]);
    context.close();
    open({ circuitBreaker: { minimumCalls: 1, failureRate: 0.5 } });
    expect(context.limits).toEqual({ circuit: 'closed', bulkhead: undefined });
    const admission = context.breaker?.admit();
    if (admission) context.breaker?.record(admission, true);
    expect(context.limits?.circuit).toBe('open');
    context.close();
    open({ bulkhead: { concurrency: 1, queue: 5 } });
    context.bulkhead?.enter();
    context.bulkhead?.enter();
    expect(context.limits).toEqual({ circuit: undefined, bulkhead: { inFlight: 1, queued: 1, limit: 1 } });
  });

  it('tells when its limits refuse, and when they do no longer', async () => {
    open({ bulkhead: { concurrency: 3, queue: 0 } });
    context.refusedRetries.refused();
    context.rejectedCalls.refused();
    await clock.advance(5_000);
    expect(events).toEqual([
      { type: 'retryBudget.exhausted', service: 'inventory' },
      { type: 'bulkhead.full', service: 'inventory', limit: 3 },
      { type: 'retryBudget.available', service: 'inventory' },
      { type: 'bulkhead.available', service: 'inventory', limit: 3 },
    ]);
    context.refusedRetries.refused();
    context.rejectedCalls.refused();
    context.close();
    expect(clock.pending).toBe(0);
    open();
    context.rejectedCalls.refused();
    await clock.advance(5_000);
    expect(events.slice(-2)).toEqual([
      { type: 'bulkhead.full', service: 'inventory', limit: 0 },
      { type: 'bulkhead.available', service: 'inventory', limit: 0 },
    ]);
  });

  it('asks servers for their load with the connection of its clients', async () => {
    const asked: unknown[] = [];
    open(
      { strategy: 'prequal' },
      {
        askLoad: async ({ port }, connection) => {
          asked.push([port, connection]);
          return 'TEXT named_metrics.in_flight=3';
        },
      },
    );
    const { pool } = await filled();
    for (let n = 0; n < 30; n++) {
      const target = pool.pick('prequal', { hashKey: undefined, attempt: 0, tried: new Set(), mayTry: 'no' });
      if (target) {
        pool.begin(target);
        pool.report(target, 1, 'success', { reason: '', isRefusal: false });
      }
      await clock.advance(200);
    }
    expect(asked.length).toBeGreaterThan(0);
    expect(asked[0]).toEqual([expect.any(Number), context.settings.http.connection]);
  });

  it('begins slowly with a new instance only where it may', async () => {
    const weightOf = async (slowStart: boolean): Promise<number | undefined> => {
      open({ slowStart });
      const { pool, view } = await filled();
      await clock.advance(120_000);
      const port = slowStart ? 11 : 12;
      registry.put({ service: 'inventory', port });
      await clock.advance(1_000);
      const snapshot = view.touch();
      if (snapshot) pool.update(snapshot);
      const weight = pool.usable.find(({ instance }) => instance.port === port)?.weight;
      context.close();
      return weight;
    };
    expect(await weightOf(true)).toBeLessThan(1);
    expect(await weightOf(false)).toBe(1);
  });
});
