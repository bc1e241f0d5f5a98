import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, RecordingLogger, settle } from '@rookery/test-support';
import { ReconnectSignal } from '../registry/reconnect-signal.js';
import { RegistryReachability } from '../registry/registry-reachability.js';
import { InMemoryRegistry } from '../testing/in-memory.registry.js';
import type { LastKnownList } from './last-known-list.js';
import type { ServiceView } from './service-view.js';
import { SharedWatches, type SharedWatch } from './shared-watches.js';
import type { SnapshotStore } from './snapshot-store.js';

describe('SharedWatches', () => {
  let clock: FakeClock;
  let registry: InMemoryRegistry;
  let stored: Map<string, LastKnownList>;
  let probes: number;
  let outages: number;
  let watches: SharedWatches;

  beforeEach(() => {
    clock = new FakeClock();
    registry = new InMemoryRegistry();
    stored = new Map();
    probes = 0;
    outages = 0;
    const store = {
      load: async (key: string) => stored.get(key),
      save: (key: string, list: LastKnownList) => void stored.set(key, list),
      forget: (key: string) => void stored.delete(key),
    };
    const reachability = new RegistryReachability(clock, {
      onUnreachable: () => outages++,
      onReachable: () => undefined,
    });
    watches = new SharedWatches(registry, '0', {
      ...{ clock, reachability },
      random: () => 1,
      logger: new RecordingLogger(),
      reconnectSignal: new ReconnectSignal(),
      probe: async () => {
        probes++;
        return 'reachable';
      },
      emit: () => undefined,
      store: store as unknown as SnapshotStore,
    });
  });
  afterEach(async () => {
    watches.close();
    await settle();
    expect(watches.size).toBe(0);
    expect(clock.pending).toBe(0);
  });

  /** With a view that was last used so long ago. */
  const open = async (service: string, idleMs: number | null = 0): Promise<SharedWatch> => {
    const watch = watches.get(service, {});
    if (idleMs !== null) watch.views.add({ idleMs } as ServiceView);
    await clock.advance(100);
    return watch;
  };
  const portsOf = ({ watcher }: SharedWatch): number[] | undefined =>
    watcher.snapshot?.instances.map(({ port }) => port);

  it('has one watch for each query of a service', async () => {
    const first = await open('web');
    expect(watches.get('web', {})).toBe(first);
    expect(watches.get('web', { datacenter: 'dc2' })).not.toBe(first);
    expect(watches.get('other', {})).not.toBe(first);
    expect(watches.size).toBe(3);
  });

  it('stores each list under a key of its own, and begins with it when the registry is away', async () => {
    registry.put({ service: 'web', port: 1 });
    const first = await open('web');
    await clock.advance(100);
    expect([...stored.keys()]).toEqual([expect.stringMatching(/^the in-memory registry 0 .*web/)]);
    first.views.clear();
    watches.close();
    registry.fail();
    const [key = ''] = stored.keys();
    stored.set(key, {
      instances: [registry.put({ service: 'web', port: 9 })],
      source: 'disk',
      confirmedAt: Date.now(),
    });
    expect(portsOf(await open('web'))).toEqual([9]);
  });

  it('keeps the last list of a watch that it stops, and prefers it to the stored one', async () => {
    registry.put({ service: 'web', port: 1 });
    await open('web', null);
    watches.stopUnused();
    expect(watches.size).toBe(0);
    registry.fail();
    stored.clear();
    const again = await open('web');
    expect(portsOf(again)).toEqual([1]);
    expect(again.watcher.snapshot?.source).toBe('live');
    expect(again.watcher.snapshot?.ageMs).toBeGreaterThanOrEqual(100);
  });

  it('stops no watch that has a view', async () => {
    await open('web');
    await open('idle', null);
    watches.stopUnused();
    expect(watches.size).toBe(1);
  });

  it.each([
    [59_999, true],
    [60_000, false],
  ])('probes the instances of a list after %s ms without a use of its view: %s', async (idleMs, isProbed) => {
    registry.put({ service: 'web', port: 1 });
    const watch = await open('web', idleMs);
    // One that is used is enough.
    watch.views.add({ idleMs: 3_600_000 } as ServiceView);
    registry.fail();
    await clock.advance(1_000);
    expect(probes > 0).toBe(isProbed);
  });

  it('tells of outages, and since when lists are outdated', async () => {
    registry.put({ service: 'web', port: 1 });
    await open('web');
    expect(watches.staleSince).toEqual([]);
    registry.fail();
    await clock.advance(1_000);
    expect(outages).toBe(1);
    expect(watches.staleSince).toHaveLength(1);
  });
});
