import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, RecordingLogger, settle } from '@rookery/test-support';
import type { DiscoveryEvent, DiscoveryEventType } from '../events/discovery-event.js';
import { InMemoryRegistry } from '../testing/in-memory.registry.js';
import type { ServiceInstance } from '../registry/service-instance.js';
import { ReconnectSignal } from '../registry/reconnect-signal.js';
import type { ProbeResult } from '../registry/tcp-probe.js';
import { OutageLog } from './outage/outage-log.js';
import { RecoveryPing } from './outage/recovery-ping.js';
import type { LastKnownList } from './last-known-list.js';
import type { ServiceSnapshot } from './service-snapshot.js';
import { ServiceWatcher } from './service-watcher.js';

describe('ServiceWatcher', () => {
  let clock: FakeClock;
  let logger: RecordingLogger;
  let registry: InMemoryRegistry;
  let watcher: ServiceWatcher;
  let events: DiscoveryEvent[];
  /** What a probe of each port finds; `answers` unless said. */
  let sightings: Map<number, ProbeResult>;
  let probed: number;
  let saved: LastKnownList | undefined;
  let recall: () => Promise<LastKnownList | undefined>;
  let remembered: LastKnownList[];

  const watch = (random: () => number = () => 1): ServiceWatcher => {
    const reconnectSignal = new ReconnectSignal();
    watcher = new ServiceWatcher(
      registry,
      'inventory',
      {},
      {
        clock,
        random,
        outages: new OutageLog(logger, registry.description),
        reconnectSignal,
        recoveryPing: new RecoveryPing(registry, { clock, random, reconnectSignal }),
        probe: async ({ port }) => {
          probed++;
          return sightings.get(port) ?? 'reachable';
        },
        emit: (event) => events.push(event),
        loadLastKnown: () => recall(),
        saveLastKnown: (list) => remembered.push(list),
      },
    );
    return watcher;
  };
  const put = (...ports: number[]): void =>
    ports.forEach((port) => void registry.put({ service: 'inventory', port }));
  const ports = (): number[] => (watcher.snapshot?.usable ?? []).map(({ port }) => port);
  const seen = (): ServiceSnapshot => {
    if (!watcher.snapshot) throw new Error('no snapshot');
    return watcher.snapshot;
  };
  const instance = (at: number): ServiceInstance => {
    const found = seen().instances[at];
    if (!found) throw new Error(`no instance ${at}`);
    return found;
  };
  const emitted = <T extends DiscoveryEventType>(type: T): Extract<DiscoveryEvent, { type: T }>[] =>
    events.filter((event): event is Extract<DiscoveryEvent, { type: T }> => event.type === type);

  beforeEach(() => {
    clock = new FakeClock();
    logger = new RecordingLogger();
    registry = new InMemoryRegistry();
    events = [];
    sightings = new Map();
    probed = 0;
    saved = undefined;
    recall = async () => saved;
    remembered = [];
  });
  afterEach(async () => {
    watcher.stop();
    await settle();
    expect(clock.pending).toBe(0);
  });

  it('gives the first list to waiting callers, and later ones to subscribers', async () => {
    put(1);
    const snapshots: ServiceSnapshot[] = [];
    watch().snapshots$.subscribe((snapshot) => snapshots.push(snapshot));
    await watcher.firstResult(1_000);
    expect(ports()).toEqual([1]);
    await clock.advance(100);
    put(2);
    await clock.advance(100);
    expect(snapshots.map(({ version, passing }) => [version, passing.length])).toEqual([
      [1, 1],
      [2, 2],
    ]);
  });

  it('reports what changed in a snapshot, and keeps the objects of unchanged instances', async () => {
    put(1, 2);
    watch();
    await clock.advance(100);
    const before = watcher.snapshot?.instances[0];
    put(3);
    registry.setStatus('inventory-2', 'warning');
    await clock.advance(1_000);
    const { changes, instances } = watcher.snapshot ?? {};
    expect(changes?.added.map(({ port }) => port)).toEqual([3]);
    expect(changes?.changed.map(({ port, status }) => [port, status])).toEqual([[2, 'warning']]);
    expect(changes?.removed).toEqual([]);
    expect(instances?.[0]).toBe(before);
    registry.remove('inventory-3');
    await clock.advance(1_000);
    expect(watcher.snapshot?.changes.removed.map(({ port }) => port)).toEqual([3]);
    expect(emitted('instance.status')).toEqual([
      expect.objectContaining({ id: 'inventory-2', from: 'passing', to: 'warning' }),
    ]);
    expect(emitted('instance.removed')).toEqual([expect.objectContaining({ address: '127.0.0.1:3' })]);
  });

  it('does not emit the same list twice', async () => {
    put(1);
    const versions: number[] = [];
    watch().snapshots$.subscribe(({ version }) => versions.push(version));
    await clock.advance(100);
    registry.put({ service: 'orders', port: 9 }); // wakes the watch; nothing changed for inventory
    put(1);
    await clock.advance(1_000);
    expect(versions).toEqual([1]);
  });

  it('follows a burst closely, and samples what never stops changing', async () => {
    put(1);
    let snapshots = 0;
    watch().snapshots$.subscribe(() => snapshots++);
    await clock.advance(60_000);
    expect(snapshots).toBe(1);
    let seen = 0;
    for (let n = 0; n < 600; n++) {
      registry.put({ service: 'inventory', port: 1, meta: { n: String(n) } });
      await clock.advance(100);
      if (n === 5) seen = snapshots;
    }
    expect(seen).toBeGreaterThanOrEqual(5);
    // 60 s at two a second, and the burst.
    expect(snapshots).toBeLessThanOrEqual(128);
    await clock.advance(600);
    expect(watcher.snapshot?.instances[0]?.meta).toEqual({ n: '599' });
  });

  it('keeps the last list on an error, retries with exponential backoff, and is current afterwards', async () => {
    put(1);
    watch();
    await clock.advance(100);
    const asked = registry.requests.watch;
    registry.fail();
    await clock.advance(60_000);
    expect(ports()).toEqual([1]);
    expect(watcher.snapshot?.ageMs).toBeGreaterThanOrEqual(60_000);
    // 4, 8, 16, 30 s: 60 s hold 4 tries, not hundreds.
    expect(registry.requests.watch - asked).toBeGreaterThanOrEqual(3);
    expect(registry.requests.watch - asked).toBeLessThanOrEqual(6);
    expect(
      logger.matching(
        /warn cannot watch "inventory", keeping the last known list \(instances: 1\), retrying: /,
      ),
    ).toHaveLength(1);
    registry.recover();
    put(2);
    // The probe of the registry finds it within 2 s, and the watches resume within 2 s more.
    await clock.advance(4_500);
    expect(ports()).toEqual([1, 2]);
    expect(watcher.snapshot?.ageMs).toBeLessThan(5_000);
    expect(logger.matching(/log .* reachable again/)).toHaveLength(1);
    expect(emitted('list.stale')).toHaveLength(1);
    expect(emitted('list.recovered')).toHaveLength(1);
  });

  it('serves its last list for an hour without the registry, and reports its age', async () => {
    put(1, 2);
    watch();
    await clock.advance(100);
    registry.fail();
    for (let minute = 1; minute <= 60; minute++) {
      await clock.advance(60_000);
      expect(ports()).toEqual([1, 2]);
      expect(watcher.snapshot?.ageMs).toBe(minute * 60_000 + 100);
    }
  });

  it('F08 probes the instances itself while the registry is unreachable, avoids those that refuse, and forgets it afterwards', async () => {
    put(1, 2, 3);
    watch();
    await clock.advance(100);
    expect(probed).toBe(0);
    registry.fail();
    sightings.set(2, 'refused');
    await clock.advance(1_000);
    expect(ports()).toEqual([1, 3]);
    expect(watcher.explain(instance(1))?.state).toBe('unreachable');
    sightings.set(2, 'reachable').set(1, 'timeout');
    await clock.advance(7_000);
    expect(ports()).toEqual([2, 3]);
    for (const port of [2, 3]) sightings.set(port, 'refused');
    await clock.advance(7_000);
    expect(ports()).toEqual([1, 2, 3]); // all of them, where none would be left
    registry.recover();
    await clock.advance(40_000);
    expect(ports()).toEqual([1, 2, 3]);
    expect(watcher.snapshot?.unreachable).toEqual([]);
    const before = probed;
    await clock.advance(60_000);
    expect(probed).toBe(before);
    expect(emitted('instance.unreachable').map(({ id }) => id)).toContain('inventory-2');
  });

  it('fails at once when there has never been a list and the registry is unreachable', async () => {
    registry.fail();
    await watch().firstResult(5_000);
    expect(watcher.snapshot).toBeUndefined();
    expect(watcher.noListError()).toMatchObject({ code: 'RK_REGISTRY_UNREACHABLE' });
    expect(watcher.noListError().message).toMatch(/no list of "inventory" from the in-memory registry/);
    expect(clock.now()).toBe(0);
  });

  it('uses a restored list only while the registry has never answered', async () => {
    put(7);
    saved = {
      instances: [registry.put({ service: 'inventory', port: 8 })],
      source: 'disk',
      confirmedAt: Date.now() - 5_000,
    };
    registry.remove('inventory-8');
    registry.fail();
    await watch().firstResult(5_000);
    expect(ports()).toEqual([8]);
    expect(watcher.snapshot?.source).toBe('disk');
    expect(watcher.snapshot?.ageMs).toBeGreaterThanOrEqual(5_000);
    registry.recover();
    await clock.advance(10_000);
    // Accepted at once: the list on disk may be very old.
    expect(ports()).toEqual([7]);
    expect(watcher.snapshot?.source).toBe('live');
    expect(remembered.map(({ instances }) => instances.map(({ port }) => port))).toEqual([[7]]);
    registry.fail();
    await clock.advance(10_000);
    expect(ports()).toEqual([7]);
  });

  it('uses a restored list when the registry is silent for a second', async () => {
    saved = {
      instances: [registry.put({ service: 'inventory', port: 8 })],
      source: 'disk',
      confirmedAt: Date.now(),
    };
    registry.hang();
    const first = watch().firstResult(5_000);
    await clock.advance(1_000);
    await first;
    expect(ports()).toEqual([8]);
    expect(clock.now()).toBe(1_000);
  });

  it('goes on when the disk hangs', async () => {
    recall = () => new Promise(() => undefined);
    registry.fail();
    watch();
    await clock.advance(3_000);
    registry.recover();
    put(1);
    await clock.advance(20_000);
    expect(ports()).toEqual([1]);
  });

  it('prefers the list on disk to an empty list of a registry without a leader', async () => {
    saved = {
      instances: [registry.put({ service: 'inventory', port: 8 })],
      source: 'disk',
      confirmedAt: Date.now(),
    };
    registry.overrideList([]);
    registry.setListSource('stale');
    watch();
    await clock.advance(2_000);
    expect(ports()).toEqual([8]);
    put(1);
    await clock.advance(2_000);
    expect(ports()).toEqual([8]); // protected, since it answers
  });

  it('does not treat a response without a leader as a confirmation', async () => {
    put(1);
    watch();
    await clock.advance(100);
    registry.setListSource('stale');
    for (let n = 0; n < 6; n++) {
      await clock.advance(10_000);
      registry.put({ service: 'other', port: n + 100 });
    }
    expect(seen().ageMs).toBeGreaterThan(50_000);
  });

  it('partitions instances by status', async () => {
    put(1);
    registry.put({ service: 'inventory', port: 2, status: 'warning' });
    registry.put({ service: 'inventory', port: 3, status: 'critical' });
    watch();
    await clock.advance(100);
    const { instances, passing, passingOrWarning } = seen();
    expect(instances).toHaveLength(3);
    expect(passing.map(({ port }) => port)).toEqual([1]);
    expect(passingOrWarning.map(({ port }) => port)).toEqual([1, 2]);
    expect(ports()).toEqual([1]);
    expect(Object.isFrozen(watcher.snapshot)).toBe(true);
    expect(Object.isFrozen(instances)).toBe(true);
    expect(Object.isFrozen(instances[0]?.tags)).toBe(true);
    registry.setStatus('inventory-1', 'critical');
    await clock.advance(1_000);
    expect(ports()).toEqual([2]); // in need
  });

  it('marks a list of a registry without a leader as stale, and keeps asking for a better one', async () => {
    put(1);
    registry.setListSource('stale');
    watch();
    await clock.advance(100);
    expect(watcher.snapshot?.source).toBe('stale');
    registry.setListSource('live');
    await clock.advance(1_000);
    expect(watcher.snapshot?.source).toBe('live');
    expect(watcher.snapshot?.changes.changed).toEqual([]);
  });

  it('completes for its subscribers when it stops', async () => {
    let completed = false;
    watch().snapshots$.subscribe({ complete: () => (completed = true) });
    watcher.stop();
    expect(completed).toBe(true);
  });

  describe('with list protection', () => {
    beforeEach(async () => {
      put(1, 2, 3);
      watch();
      await clock.advance(1_000);
    });

    it('F09 keeps instances that answer probes although the registry lists none, and ends the protection when it lists them again', async () => {
      registry.overrideList([]);
      await clock.advance(20_000);
      expect(ports()).toEqual([1, 2, 3]);
      expect(watcher.report.state).toBe('suspect');
      expect(watcher.snapshot?.suspects.map(({ port }) => port)).toEqual([1, 2, 3]);
      expect(watcher.explain(instance(0))).toMatchObject({ state: 'suspect' });
      registry.clearOverride();
      await clock.advance(1_000);
      expect(ports()).toEqual([1, 2, 3]);
      expect(watcher.snapshot?.suspects).toEqual([]);
      expect(emitted('list.suspect')).toHaveLength(1);
      expect(emitted('list.rejected')).toEqual([
        expect.objectContaining({ returned: ['inventory-1', 'inventory-2', 'inventory-3'] }),
      ]);
      expect(emitted('instance.removed')).toEqual([]);
      // A protected list is not saved for the next process.
      expect(remembered.every(({ instances }) => instances.length === 3)).toBe(true);
    });

    it('F10 accepts the list at once when the instances refuse connections', async () => {
      for (const port of [1, 2, 3]) sightings.set(port, 'refused');
      registry.overrideList([]);
      await settle();
      expect(ports()).toEqual([]);
      expect(emitted('list.confirmed')).toEqual([
        expect.objectContaining({ reason: 'connection refused', afterMs: 0 }),
      ]);
      expect(emitted('service.unavailable')).toHaveLength(1);
    });

    it('F10 accepts at once the removal of an instance that reports not ready', async () => {
      for (const port of [1, 2]) sightings.set(port, 'not-ready');
      registry.overrideList(registry.requests.watch ? [instance(2)] : []);
      await settle();
      expect(ports()).toEqual([3]);
    });

    it('F10 accepts the list after 30 s in any case', async () => {
      registry.overrideList([]);
      await clock.advance(29_000);
      expect(ports()).toEqual([1, 2, 3]);
      await clock.advance(3_500);
      expect(ports()).toEqual([]);
      expect(emitted('list.confirmed')[0]?.reason).toMatch(/still not listed after 30 s/);
    });

    it('does not accept it while the registry cannot confirm it', async () => {
      registry.overrideList([]);
      await clock.advance(5_000);
      registry.fail();
      await clock.advance(120_000);
      expect(ports()).toEqual([1, 2, 3]);
      registry.recover();
      await clock.advance(40_000);
      expect(ports()).toEqual([]);
    });

    it('accepts at once that half of the instances are gone, and that all are critical', async () => {
      registry.put({ service: 'inventory', port: 4 });
      await clock.advance(1_000);
      registry.remove('inventory-1');
      registry.remove('inventory-2');
      await clock.advance(1_000);
      expect(ports()).toEqual([3, 4]);
      for (const id of ['inventory-3', 'inventory-4']) registry.setStatus(id, 'critical');
      await clock.advance(2_000);
      expect(ports()).toEqual([]);
      expect(emitted('list.suspect')).toEqual([]);
    });

    it('decides about each suspect separately, although most of the others are listed again', async () => {
      const [, , third] = seen().instances;
      registry.overrideList([]);
      await clock.advance(500);
      registry.overrideList(seen().instances.slice(0, 2));
      await clock.advance(3_000);
      expect(ports()).toEqual([1, 2, 3]);
      expect(seen().suspects).toEqual([third]);
      sightings.set(3, 'refused');
      await clock.advance(3_000);
      expect(ports()).toEqual([1, 2]);
    });

    it('keeps warning instances as well', async () => {
      registry.setStatus('inventory-2', 'warning');
      registry.setStatus('inventory-3', 'warning');
      await clock.advance(2_000);
      registry.overrideList([]);
      await clock.advance(5_000);
      expect(seen().passingOrWarning).toHaveLength(3);
    });

    it('is not ended by an instance that cannot be probed', async () => {
      sightings.set(1, 'unknown').set(2, 'refused').set(3, 'timeout');
      registry.overrideList([]);
      await settle();
      expect(ports()).toEqual([1, 3]); // one silent interval: this process itself may have been paused
      await clock.advance(1_000);
      expect(ports()).toEqual([1]);
      await clock.advance(40_000);
      expect(ports()).toEqual([]);
    });

    it('adds new instances while it protects the old ones', async () => {
      registry.overrideList([registry.put({ service: 'inventory', port: 9 })]);
      await clock.advance(500);
      expect(ports()).toEqual([9, 1, 2, 3]);
      sightings.set(2, 'refused');
      await clock.advance(3_000);
      expect(ports()).toEqual([9, 1, 3]);
    });

    it('makes a consistent read, takes its list, and restarts the watch', async () => {
      const watches = registry.requests.watch;
      registry.overrideList([], { certain: true });
      await settle();
      expect(registry.requests.readConsistent).toBe(1);
      expect(ports()).toEqual([1, 2, 3]);
      registry.clearOverride();
      await clock.advance(3_000);
      expect(registry.requests.watch).toBeGreaterThan(watches);
      expect(ports()).toEqual([1, 2, 3]);
      expect(watcher.report.state).toBe('current');
    });

    it('limits its reads while the protection lasts', async () => {
      registry.overrideList([]);
      await clock.advance(25_000);
      expect(registry.requests.readConsistent).toBeLessThanOrEqual(8);
      expect(probed).toBeLessThanOrEqual(3 * 20);
    });
  });
});
