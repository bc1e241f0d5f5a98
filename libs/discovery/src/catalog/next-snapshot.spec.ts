import { describe, expect, it } from '@jest/globals';
import { freezeInstance, instanceKey, type ServiceInstance } from '../registry/service-instance.js';
import { nextSnapshot, type SnapshotInput } from './next-snapshot.js';
import { usableInstances } from './service-snapshot.js';

const instance = (port: number, status: ServiceInstance['status'] = 'passing'): ServiceInstance =>
  freezeInstance({
    ...{ id: `inventory-${port}`, service: 'inventory', address: '10.0.0.1', port, secure: false, status },
    ...{ tags: [], meta: {}, weight: 1, zone: undefined, node: 'n1', datacenter: 'dc1' },
  });
const of = (instances: readonly ServiceInstance[], changes: Partial<SnapshotInput> = {}): SnapshotInput => ({
  ...{ service: 'inventory', instances, suspects: new Set(), unreachable: new Set(), source: 'live' },
  ...{ receivedAt: 1_000, ageMs: () => 5, ...changes },
});

describe('nextSnapshot', () => {
  it('is the first one, with all that is derived of it', () => {
    const list = [instance(1), instance(2, 'warning'), instance(3, 'critical')];
    const snapshot = nextSnapshot(undefined, of(list));
    expect(snapshot).toMatchObject({
      service: 'inventory',
      version: 1,
      source: 'live',
      receivedAt: 1_000,
      ageMs: 5,
    });
    const ports = (some: readonly ServiceInstance[] = []): number[] => some.map(({ port }) => port);
    expect(snapshot?.instances).toEqual(list);
    expect([ports(snapshot?.passing), ports(snapshot?.passingOrWarning), ports(snapshot?.usable)]).toEqual([
      [1],
      [1, 2],
      [1],
    ]);
    expect(snapshot && ports(usableInstances(snapshot, { includeWarning: true }))).toEqual([1, 2]);
    expect([snapshot?.suspects, snapshot?.unreachable, Object.isFrozen(snapshot)]).toEqual([[], [], true]);
  });

  it('is none when nothing changed, and keeps the objects of instances that did not', () => {
    const first = nextSnapshot(undefined, of([instance(1), instance(2)]));
    expect(nextSnapshot(first, of([instance(1), instance(2)]))).toBeUndefined();
    const next = nextSnapshot(first, of([instance(1), instance(2, 'critical')], { receivedAt: 2_000 }));
    expect(next?.instances[0]).toBe(first?.instances[0]);
    expect(next).toMatchObject({ version: 2, receivedAt: 2_000 });
    expect(next?.changes.changed).toHaveLength(1);
  });

  it('is one when only what is known of the instances changed, of the same list and time', () => {
    const first = nextSnapshot(undefined, of([instance(1), instance(2)]));
    const keys = new Set([instanceKey(instance(2))]);
    for (const [changes, expected] of [
      [{ suspects: keys }, { suspects: [instance(2)], unreachable: [] }],
      [{ unreachable: keys }, { suspects: [], unreachable: [instance(2)] }],
      [{ source: 'stale' as const }, { source: 'stale' }],
    ] as const) {
      const next = nextSnapshot(first, of([instance(1), instance(2)], { ...changes, receivedAt: 2_000 }));
      expect(next).toMatchObject({ ...expected, version: 2, receivedAt: 1_000 });
      expect(next?.instances).toBe(first?.instances);
    }
  });

  it('uses what is unreachable only where nothing else is left', () => {
    const all = new Set([1, 2].map((port) => instanceKey(instance(port))));
    const one = new Set([instanceKey(instance(1))]);
    const usable = (unreachable: ReadonlySet<string>): number[] | undefined =>
      nextSnapshot(undefined, of([instance(1), instance(2)], { unreachable }))?.usable.map(
        ({ port }) => port,
      );
    expect([usable(one), usable(all)]).toEqual([[2], [1, 2]]);
  });
});
