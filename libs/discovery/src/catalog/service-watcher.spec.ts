import { afterEach, describe, expect, it } from '@jest/globals';
import { FakeClock, RecordingLogger, settle } from '@rookery/test-support';
import { InMemoryRegistry } from '../registry/in-memory-registry.js';
import { Reachability } from '../registry/reachability.js';
import type { ServiceSnapshot } from './service-snapshot.js';
import { OutageLog } from './outage-log.js';
import { ServiceWatcher } from './service-watcher.js';

describe('ServiceWatcher', () => {
  const clock = new FakeClock();
  const logger = new RecordingLogger();
  const registry = new InMemoryRegistry();
  let watcher: ServiceWatcher;
  const watch = (): ServiceWatcher =>
    (watcher = new ServiceWatcher(
      registry,
      'inventory',
      {},
      {
        clock,
        random: () => 1,
        outages: new OutageLog(logger, registry.description),
        reachability: new Reachability(),
      },
    ));

  afterEach(async () => {
    watcher.stop();
    await settle();
    expect(clock.pending).toBe(0);
    registry.recover();
    for (const port of [1, 2, 3]) registry.remove(`inventory-${port}`);
  });

  it('gives the first list to who waits for it, and later ones to subscribers', async () => {
    registry.put({ service: 'inventory', port: 1 });
    const snapshots: ServiceSnapshot[] = [];
    watch().snapshots$.subscribe((snapshot) => snapshots.push(snapshot));
    expect((await watcher.first(1_000)).passing.map(({ id }) => id)).toEqual(['inventory-1']);
    await clock.advance(100);
    registry.put({ service: 'inventory', port: 2 });
    await clock.advance(100);
    expect(snapshots.map(({ version, passing }) => [version, passing.length])).toEqual([
      [1, 1],
      [2, 2],
    ]);
  });

  it('does not emit the same list twice', async () => {
    registry.put({ service: 'inventory', port: 1 });
    const versions: number[] = [];
    watch().snapshots$.subscribe(({ version }) => versions.push(version));
    await clock.advance(100);
    registry.put({ service: 'orders', port: 9 }); // wakes the watch; nothing changed for inventory
    await clock.advance(1_000);
    expect(versions).toEqual([1]);
  });

  it('keeps the last list on an error, asks anew with a growing pause, and is current afterwards', async () => {
    registry.put({ service: 'inventory', port: 1 });
    watch();
    await clock.advance(100);
    const asked = registry.requests.watch;
    registry.fail();
    await clock.advance(60_000);
    expect(watcher.snapshot?.passing).toHaveLength(1);
    // 250, 500, 1000, ... 30 000 ms: 60 s hold 8 tries, not hundreds.
    expect(registry.requests.watch - asked).toBeGreaterThanOrEqual(7);
    expect(registry.requests.watch - asked).toBeLessThanOrEqual(9);
    expect(
      logger.matching(/warn cannot watch "inventory", its last list stays in use \(instances: 1\)/),
    ).toHaveLength(1);
    registry.recover();
    registry.put({ service: 'inventory', port: 2 });
    await clock.advance(30_000);
    expect(watcher.snapshot?.passing).toHaveLength(2);
    expect(logger.matching(/log .* answers again/)).toHaveLength(1);
  });

  it('tells at once that there has never been a list while the registry is away', async () => {
    registry.fail();
    const first = watch().first(5_000);
    await expect(first).rejects.toMatchObject({ code: 'RK_REGISTRY_UNREACHABLE' });
    await expect(watcher.first(5_000)).rejects.toThrow(/no list of "inventory" from the in-memory registry/);
    expect(clock.now()).toBeLessThan(100_000);
  });

  it('separates instances by what they may be used for', async () => {
    registry.put({ service: 'inventory', port: 1 });
    registry.put({ service: 'inventory', port: 2, status: 'warning' });
    registry.put({ service: 'inventory', port: 3, status: 'critical' });
    const snapshot = await watch().first(1_000);
    expect(snapshot.instances).toHaveLength(3);
    expect(snapshot.passing.map(({ port }) => port)).toEqual([1]);
    expect(snapshot.passingOrWarning.map(({ port }) => port)).toEqual([1, 2]);
    expect(Object.isFrozen(snapshot)).toBe(true);
    expect(Object.isFrozen(snapshot.instances)).toBe(true);
    expect(Object.isFrozen(snapshot.instances[0]?.tags)).toBe(true);
  });

  it('completes for its subscribers, and refuses who still waits, when it stops', async () => {
    let completed = false;
    watch().snapshots$.subscribe({ complete: () => (completed = true) });
    watcher.stop();
    expect(completed).toBe(true);
  });
});
