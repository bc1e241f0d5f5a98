import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, RecordingLogger, settle, thrownBy } from '@rookery/test-support';
import { map } from 'rxjs';
import { describeEvent } from '../events/describe-event.js';
import type { DiscoveryEvent } from '../events/discovery-event.js';
import { InMemoryRegistry } from '../testing/in-memory.registry.js';
import { ReconnectSignal } from '../registry/reconnect-signal.js';
import type { ServiceQuery } from '../registry/service-query.js';
import { StaticSource } from '../registry/static.source.js';
import type { ProbeResult } from '../registry/tcp-probe.js';
import { RegistryReachability } from '../registry/registry-reachability.js';
import { ServiceCatalog, type CatalogOptions } from './service-catalog.js';
import { usableInstances, type ServiceSnapshot } from './service-snapshot.js';
import type { SnapshotStore } from './snapshot-store.js';

describe('ServiceCatalog', () => {
  let clock: FakeClock;
  let logger: RecordingLogger;
  let registry: InMemoryRegistry;
  let catalog: ServiceCatalog;
  let events: DiscoveryEvent[];
  let sightings: Map<number, ProbeResult>;
  const open = (options: Partial<CatalogOptions> = {}): ServiceCatalog =>
    (catalog = new ServiceCatalog(registry, {
      clock,
      random: () => 0.5,
      logger,
      reconnectSignal: new ReconnectSignal(),
      probe: async ({ port }) => sightings.get(port) ?? 'reachable',
      initialListTimeoutMs: 5_000,
      emit: (event) => events.push(event),
      ...options,
    }));
  const ports = async (query: ServiceQuery = {}): Promise<number[]> =>
    usableInstances(await catalog.snapshot('inventory', query), query).map(({ port }) => port);

  beforeEach(() => {
    clock = new FakeClock();
    logger = new RecordingLogger();
    registry = new InMemoryRegistry();
    events = [];
    sightings = new Map();
  });
  afterEach(async () => {
    await catalog.close();
    await settle();
    expect(clock.pending).toBe(0);
  });

  describe('with one registry', () => {
    beforeEach(() => {
      open();
      const service = 'inventory';
      registry.put({ service, port: 1, tags: ['a', 'b'], meta: { tier: 'gold', version: '1.2.0' } });
      registry.put({ service, port: 2, tags: ['a'], meta: { version: '2.0.1' } });
      registry.put({ service, port: 3, status: 'warning', meta: { version: '2.1.0' } });
      registry.put({ service, port: 4, meta: { version: 'latest' } });
    });

    it('shares one watch among all queries that only filter its list', async () => {
      expect(await ports()).toEqual([1, 2, 4]);
      expect(await ports({ tags: ['a'] })).toEqual([1, 2]);
      expect(await ports({ tags: ['b', 'a'], meta: { tier: 'gold' } })).toEqual([1]);
      expect(await ports({ version: '^2' })).toEqual([2]);
      expect(await ports({ version: '^2', includeWarning: true })).toEqual([2, 3]);
      expect(await ports({ version: '>=2.1' })).toEqual([3]); // in need: none that passes
      expect(await ports({ version: '^9' })).toEqual([]);
      expect(registry.requests.watch).toBe(1);
      expect(catalog.watches).toBe(1);
      await ports({ datacenter: 'dc1' });
      expect(registry.requests.watch).toBe(2);
    });

    it('refuses a query that would silently match all instances, in one message', async () => {
      const wrong = { tag: 'a', version: 'newest', failover: [] } as ServiceQuery;
      const refused = catalog.snapshot('inventory', wrong);
      await expect(refused).rejects.toMatchObject({ code: 'RK_INVALID_ARGUMENT' });
      await expect(refused).rejects.toThrow(/query\.version = "newest": must be a semver range.*query\.tag/);
      expect(registry.requests.watch).toBe(0);
      // Also when its service is known already.
      await ports();
      await expect(ports({ tag: 'a' } as ServiceQuery)).rejects.toThrow(/query\.tag: unknown/);
      await expect(ports({ tags: 5 } as unknown as ServiceQuery)).rejects.toThrow(
        /query\.tags = 5: must be an array/,
      );
      await expect(ports({ failover: 'dc2' } as unknown as ServiceQuery)).rejects.toThrow(/query\.failover/);
    });

    it('emits to a filtered view only what changed in it', async () => {
      const versions: [number, number][] = [];
      const subscription = catalog
        .watch('inventory', { tags: ['a'] })
        .subscribe(({ version, passing }) => versions.push([version, passing.length]));
      await clock.advance(100);
      registry.setStatus('inventory-4', 'critical');
      await clock.advance(1_000);
      registry.remove('inventory-1');
      await clock.advance(1_000);
      subscription.unsubscribe();
      expect(versions).toEqual([
        [1, 2],
        [2, 1],
      ]);
    });

    it('isolates subscribers from each other: one that throws is logged, and stays subscribed', async () => {
      const seen: number[] = [];
      const bad = catalog
        .watch('inventory')
        .pipe(map(({ version }) => version))
        .subscribe((version) => {
          seen.push(version);
          throw new Error('handler bug');
        });
      const good: ServiceSnapshot[] = [];
      const other = catalog.watch('inventory').subscribe((snapshot) => good.push(snapshot));
      await clock.advance(100);
      registry.put({ service: 'inventory', port: 5 });
      await clock.advance(1_000);
      expect(seen).toEqual([1, 2]);
      expect(good).toHaveLength(2);
      expect(logger.matching(/error .*"inventory" threw: handler bug/)).toHaveLength(2);
      bad.unsubscribe();
      other.unsubscribe();
    });

    it('ends a watch after five minutes without use, and starts a new one with the next use', async () => {
      await ports();
      const subscription = catalog.watch('inventory', { datacenter: 'dc1' }).subscribe();
      await clock.advance(4 * 60_000);
      await ports();
      await clock.advance(4 * 60_000);
      expect(catalog.watches).toBe(2);
      await clock.advance(3 * 60_000);
      expect(catalog.watches).toBe(1); // the subscribed one goes on
      subscription.unsubscribe();
      await clock.advance(6 * 60_000);
      expect(catalog.watches).toBe(0);
      expect(clock.pending).toBe(0);
      expect(await ports()).toEqual([1, 2, 4]);
      expect(catalog.watches).toBe(1);
    });

    it('ends an idle watch although the registry refuses it', async () => {
      registry.fail();
      await expect(ports()).rejects.toMatchObject({ code: 'RK_REGISTRY_UNREACHABLE' });
      await clock.advance(10 * 60_000);
      expect(catalog.watches).toBe(0); // it has no list to be kept
    });

    it('refuses wrong values, whatever was queried before', async () => {
      await ports();
      const wrong = [
        { version: null },
        { filter: '' },
        { filter: null },
        { datacenter: null },
        { tags: '' },
        { meta: null },
        { meta: 7 },
        { meta: [] },
        { preparedQuery: 'true' },
        { includeWarning: 'no' },
      ];
      for (const query of wrong as unknown as ServiceQuery[])
        await expect(ports(query)).rejects.toMatchObject({ code: 'RK_INVALID_ARGUMENT' });
      expect(await ports({ includeWarning: false, preparedQuery: false })).toEqual([1, 2, 4]);
    });

    it('explains a query that includes warning instances by that query', async () => {
      await ports();
      const { usable, instances } = await catalog.explain('inventory', { includeWarning: true });
      expect(usable).toBe(4);
      expect(instances[2]).toMatchObject({
        state: 'eligible',
        reason: 'one of its checks is warning, and the query includes those',
      });
    });

    it('starts with the last list of an ended watch when the registry is unreachable', async () => {
      await ports();
      await clock.advance(10 * 60_000);
      expect(catalog.watches).toBe(0);
      registry.fail();
      expect(await ports()).toEqual([1, 2, 4]);
      expect((await catalog.snapshot('inventory')).ageMs).toBeGreaterThan(0);
      await clock.advance(60 * 60_000);
      expect(await ports()).toEqual([1, 2, 4]);
      expect(catalog.watches).toBe(1); // no watch is ended while the registry is away
    });

    it('explains which instances are used and which are not, and why', async () => {
      registry.setStatus('inventory-2', 'maintenance');
      const { instances, lists, usable } = await catalog.explain('inventory', { meta: { version: '1.2.0' } });
      expect(usable).toBe(1);
      expect(instances.map(({ id, state, reason }) => [id, state, reason])).toEqual([
        ['inventory-1', 'eligible', 'its checks pass'],
        ['inventory-2', 'filtered', 'its meta.version is "2.0.1", not "1.2.0"'],
        ['inventory-3', 'filtered', 'its meta.version is "2.1.0", not "1.2.0"'],
        ['inventory-4', 'filtered', 'its meta.version is "latest", not "1.2.0"'],
      ]);
      expect(lists).toEqual([
        expect.objectContaining({
          state: 'current',
          inUse: true,
          source: 'the in-memory registry',
          updates: 1,
        }),
      ]);
      const all = await catalog.explain('inventory');
      expect(all.instances.map(({ state }) => state)).toEqual([
        'eligible',
        'maintenance',
        'warning',
        'eligible',
      ]);
      registry.fail();
      const none = await catalog.explain('never-seen');
      expect(none).toMatchObject({ snapshot: undefined, usable: 0, instances: [] });
      expect(none.lists[0]).toMatchObject({
        state: 'failing',
        error: expect.stringMatching(/made to fail/) as unknown,
      });
      expect(catalog.explainAll().map(({ service }) => service)).toEqual([
        'inventory',
        'inventory',
        'never-seen',
      ]);
    });
  });

  describe('with several datacenters', () => {
    const query = { failover: { to: ['dc2', 'dc3'], minInstances: 2, failbackAfter: '10s' } } as const;
    beforeEach(() => {
      open();
      for (const [port, datacenter] of [
        [11, 'dc2'],
        [12, 'dc2'],
        [21, 'dc3'],
        [22, 'dc3'],
      ] as const)
        registry.put({ service: 'inventory', port, datacenter });
      for (const port of [1, 2]) registry.put({ service: 'inventory', port, datacenter: 'dc1' });
    });
    const local = { ...query, datacenter: 'dc1' };

    it('tells of the failover, which no call shows', async () => {
      await ports(local);
      registry.setStatus('inventory-2', 'critical');
      await clock.advance(200);
      const failovers = events.filter(({ type }) => type === 'service.failover');
      expect(failovers.map(describeEvent)).toEqual([
        {
          level: 'warn',
          message: expect.stringMatching(/"inventory": failing over from dc1 to dc2: dc1 has 1 usable/),
        },
      ]);
    });

    it('fails over at once below the threshold, and fails back after a while of good health', async () => {
      expect(await ports(local)).toEqual([1, 2]);
      registry.setStatus('inventory-2', 'critical');
      await clock.advance(200);
      expect(await ports(local)).toEqual([11, 12]);
      registry.setStatus('inventory-11', 'critical');
      await clock.advance(1_000);
      expect(await ports(local)).toEqual([21, 22]);
      registry.setStatus('inventory-2', 'passing');
      await clock.advance(9_000);
      expect(await ports(local)).toEqual([21, 22]);
      await clock.advance(3_000);
      expect(await ports(local)).toEqual([1, 2]);
      const moves = events.filter((event) => event.type === 'service.failover');
      expect(moves.map(({ from, to }) => `${from} ${to}`)).toEqual(['dc1 dc2', 'dc2 dc3', 'dc3 dc1']);
      expect(moves[0]).toMatchObject({ reason: 'dc1 has 1 usable instances, dc2 has 2' });
    });

    it('explains the lists that are not in use', async () => {
      const { lists, instances } = await catalog.explain('inventory', local);
      expect(lists.map(({ name, inUse }) => [name, inUse])).toEqual([
        ['dc1', true],
        ['dc2', false],
        ['dc3', false],
      ]);
      expect(instances.filter(({ state }) => state === 'not-selected')).toHaveLength(4);
    });
  });

  describe('with several sources', () => {
    it('uses the first source with usable instances, and fails back at once', async () => {
      open({ sources: ['registry', new StaticSource({ inventory: ['10.0.0.1:91', '10.0.0.1:92'] })] });
      expect(await ports()).toEqual([91, 92]);
      registry.put({ service: 'inventory', port: 1 });
      await clock.advance(6_000);
      expect(await ports()).toEqual([1]);
      registry.setStatus('inventory-1', 'critical');
      await clock.advance(1_000);
      expect(await ports()).toEqual([91, 92]);
      expect(await catalog.services(new AbortController().signal)).toEqual(['inventory']);
    });

    it('has instances when the registry is unreachable from the start', async () => {
      registry.fail();
      open({ sources: ['registry', new StaticSource({ inventory: ['10.0.0.1:91'] })] });
      expect(await ports()).toEqual([91]);
      expect(await catalog.services(new AbortController().signal)).toEqual(['inventory']);
      // Without an answer of the registry it is not known that there is none.
      await expect(catalog.snapshot('orders')).rejects.toMatchObject({ code: 'RK_REGISTRY_UNREACHABLE' });
    });

    it('does not answer with a lower-priority list while a better one may still come', async () => {
      registry.hang();
      open({ sources: ['registry', new StaticSource({ other: ['10.0.0.1:91'] })] });
      const asked = [catalog.snapshot('inventory'), catalog.snapshot('inventory')];
      await clock.advance(1_500);
      registry.put({ service: 'inventory', port: 1 });
      for (const snapshot of asked) expect((await snapshot).usable.map(({ port }) => port)).toEqual([1]);
      const none = catalog.snapshot('absent').catch((error: unknown) => String(error));
      await clock.advance(5_000);
      expect(await none).toMatch(/no list of "absent" .* no response in 5000 ms/);
    });

    it('waits a second for the first source, and no longer, where another has instances', async () => {
      registry.hang();
      open({ sources: ['registry', new StaticSource({ inventory: ['10.0.0.1:91'] })] });
      const asked = ports();
      await clock.advance(900);
      expect(catalog.explainAll()[0]?.snapshot).toBeUndefined();
      await clock.advance(200);
      expect(await asked).toEqual([91]);
    });

    it('waits for a lower-priority list where the first is empty', async () => {
      const late = new InMemoryRegistry();
      late.hang();
      open({ sources: ['registry', late] });
      const asked = ports();
      await clock.advance(500);
      late.recover();
      late.put({ service: 'inventory', port: 5 });
      await settle();
      expect(await asked).toEqual([5]);
      expect(events.filter(({ type }) => type === 'service.failover')).toEqual([]);
    });

    it('answers with the first source where the second cannot serve the query', async () => {
      // As Consul does, it can filter, and has none that match.
      const watch = registry.watch.bind(registry);
      registry.watch = (service, _query, signal) => watch(service, {}, signal);
      open({ sources: ['registry', new StaticSource({})] });
      await expect(ports({ filter: 'x' })).resolves.toEqual([]);
    });

    it('counts an instance once that has different ids in two lists', async () => {
      registry.put({ service: 'inventory', port: 1, id: 'mine' });
      open({ sources: ['registry', new StaticSource({ inventory: ['127.0.0.1:1'] })], merge: 'all' });
      await catalog.snapshot('inventory');
      await clock.advance(100);
      expect(await ports()).toEqual([1]);
    });

    it('keeps two instances of one id on two nodes apart', async () => {
      registry.put({ service: 'inventory', port: 1, id: 'mine' });
      const fixed = new StaticSource({
        inventory: [
          { address: 'x', port: 1, id: 'same', node: 'n1' },
          { address: 'x', port: 2, id: 'same', node: 'n2' },
        ],
      });
      open({ sources: ['registry', fixed], merge: 'all' });
      await catalog.snapshot('inventory');
      expect((await ports()).length).toBe(3);
    });

    it('can put a static list first', async () => {
      registry.put({ service: 'inventory', port: 1 });
      registry.put({ service: 'orders', port: 2 });
      open({ sources: [new StaticSource({ inventory: ['127.0.0.1:3000'] }), 'registry'] });
      expect(await ports()).toEqual([3000]);
      expect((await catalog.snapshot('orders')).usable.map(({ port }) => port)).toEqual([2]);
    });

    it('merges all sources on demand; of two instances with one id the first wins', async () => {
      registry.put({ service: 'inventory', port: 1, id: 'same' });
      const fixed = new StaticSource({
        inventory: [{ address: '10.0.0.1', port: 91, id: 'same' }, '10.0.0.1:92'],
      });
      open({ sources: ['registry', fixed], merge: 'all' });
      await catalog.snapshot('inventory');
      await clock.advance(100);
      expect(await ports()).toEqual([1, 92]);
      const { instances } = await catalog.explain('inventory');
      expect(instances.map(({ state }) => state)).toEqual(['eligible', 'not-selected', 'eligible']);
    });
  });

  describe('of several services', () => {
    it('tells the state of each by its widest query', async () => {
      open();
      for (const service of ['inventory', 'orders']) registry.put({ service, port: 1, tags: ['a'] });
      registry.put({ service: 'inventory', port: 2 });
      await catalog.snapshot('inventory', { tags: ['a'], includeWarning: true });
      await catalog.snapshot('inventory', { tags: ['a'] });
      await catalog.snapshot('orders', { tags: ['a'] });
      const widest = (): unknown[] => catalog.widestViews.map(({ service, query }) => [service, query]);
      expect(widest()).toEqual([
        ['inventory', { tags: ['a'] }],
        ['orders', { tags: ['a'] }],
      ]);
      await catalog.snapshot('inventory');
      await catalog.snapshot('inventory', { includeWarning: true });
      expect(widest()[0]).toEqual(['inventory', {}]);
      expect(catalog.states.map(({ service }) => service)).toEqual(['inventory', 'orders']);
      expect(catalog.explainAll()).toHaveLength(5);
    });

    it('names those of all sources, sorted, as long as one of them answers', async () => {
      const other = new InMemoryRegistry();
      open({ sources: ['registry', other] });
      for (const service of ['orders', 'books']) registry.put({ service, port: 1 });
      for (const service of ['books', 'carts']) other.put({ service, port: 1 });
      const { signal } = new AbortController();
      expect(await catalog.services(signal)).toEqual(['books', 'carts', 'orders']);
      registry.fail();
      expect(await catalog.services(signal)).toEqual(['books', 'carts']);
      other.fail();
      await expect(catalog.services(signal)).rejects.toMatchObject({ code: 'RK_REGISTRY_UNREACHABLE' });
      registry.recover();
      expect(await catalog.services(signal)).toEqual(['books', 'orders']);
    });

    it('tells how long the oldest list is not confirmed', async () => {
      open();
      registry.put({ service: 'inventory', port: 1 });
      registry.put({ service: 'orders', port: 1 });
      await ports();
      expect(catalog.oldestStalenessMs()).toBeUndefined();
      await clock.advance(500);
      registry.fail();
      await clock.advance(2_000);
      await catalog.snapshot('orders').catch(() => undefined);
      await clock.advance(3_000);
      expect(catalog.oldestStalenessMs()).toBe(5_500);
      registry.recover();
      await clock.advance(60_000);
      expect(catalog.oldestStalenessMs()).toBeUndefined();
    });

    it('tells of the failures of its own registry only, for its reachability', async () => {
      const other = new InMemoryRegistry();
      const heard: string[] = [];
      const reachability = new RegistryReachability(clock, {
        onUnreachable: () => heard.push('unreachable'),
        onReachable: () => heard.push('reachable'),
      });
      let reconnected = 0;
      const reconnectSignal = new ReconnectSignal();
      reconnectSignal.reconnected$.subscribe(() => reconnected++);
      open({ sources: ['registry', other], reachability, reconnectSignal });
      registry.put({ service: 'inventory', port: 1 });
      await ports();
      other.fail();
      await clock.advance(10_000);
      other.recover();
      await clock.advance(60_000);
      expect([heard, reconnected]).toEqual([[], 0]);
      registry.fail();
      await clock.advance(10_000);
      registry.recover();
      await clock.advance(60_000);
      expect([heard, reconnected > 0]).toEqual([['unreachable', 'reachable'], true]);
    });

    it('names the local datacenter in a failover of the registry', async () => {
      open();
      registry.put({ service: 'inventory', port: 1, datacenter: 'dc2' });
      const { lists } = await catalog.explain('inventory', { failover: ['dc2'] });
      expect(lists.map(({ name }) => name)).toEqual(['the local datacenter', 'dc2']);
      const { lists: plain } = await catalog.explain('inventory');
      expect(plain.map(({ name }) => name)).toEqual(['the in-memory registry']);
    });
  });

  describe('that is closed', () => {
    it('answers no more, and completes what is watched', async () => {
      open();
      registry.put({ service: 'inventory', port: 1 });
      const ends: string[] = [];
      catalog.watch('inventory').subscribe({ complete: () => ends.push('before') });
      await clock.advance(100);
      const view = catalog.open('inventory');
      expect([catalog.isClosed, catalog.watches, registry.requests.watch]).toEqual([false, 1, 1]);
      await catalog.close();
      expect([catalog.isClosed, catalog.watches, view.isClosed]).toEqual([true, 0, true]);
      await expect(catalog.snapshot('inventory')).rejects.toMatchObject({ code: 'RK_SHUT_DOWN' });
      expect(() => catalog.open('orders')).toThrow(/shut down/);
      catalog.watch('orders').subscribe({ complete: () => ends.push('after') });
      expect(ends).toEqual(['before', 'after']);
    });

    it('ends what waits for a first list, with its code', async () => {
      open();
      registry.watch = async function* (_service, _query, signal: AbortSignal) {
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        yield* [];
      };
      const waiting = thrownBy(() => catalog.snapshot('inventory'));
      await clock.advance(100);
      await catalog.close();
      expect(await waiting).toMatchObject({ code: 'RK_SHUT_DOWN' });
    });

    it('closes the sources that are its own, and waits two seconds at most for its files', async () => {
      const own = new InMemoryRegistry();
      let closed = 0;
      own.close = async () => {
        closed++;
      };
      let flushes = 0;
      const store = {
        ...{ load: async () => undefined, save: () => undefined, forget: () => undefined },
        flush: () => {
          flushes++;
          return new Promise<void>(() => undefined);
        },
      } as unknown as SnapshotStore;
      open({ sources: ['registry', own], store });
      let isClosed = false;
      const closing = catalog.close().then(() => (isClosed = true));
      await clock.advance(1_999);
      expect([closed, flushes, isClosed]).toEqual([1, 1, false]);
      await clock.advance(1);
      await closing;
      open();
    });
  });
});
