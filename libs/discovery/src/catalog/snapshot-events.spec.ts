import { describe, expect, it } from '@jest/globals';
import type { DiscoveryEvent } from '../events/discovery-event.js';
import type { InstanceStatus, ServiceInstance } from '../registry/service-instance.js';
import { InMemoryRegistry } from '../testing/in-memory.registry.js';
import { nextSnapshot, type SnapshotInput } from './next-snapshot.js';
import { eventsBetween } from './snapshot-events.js';

const registry = new InMemoryRegistry();
const at = (port: number, status: InstanceStatus = 'passing'): ServiceInstance =>
  registry.put({ service: 'web', id: `web-${port}`, address: '10.0.0.1', port, status });

function between(
  before: readonly ServiceInstance[],
  after: readonly ServiceInstance[],
): readonly DiscoveryEvent[] {
  const input = (instances: readonly ServiceInstance[]): SnapshotInput => ({
    ...{ service: 'web', instances, suspects: new Set(), unreachable: new Set() },
    ...{ source: 'live', receivedAt: 1, ageMs: () => 0 },
  });
  const previous = nextSnapshot(undefined, input(before));
  const next = nextSnapshot(previous, input(after));
  if (!previous || !next) throw new Error('nothing changed');
  return eventsBetween(previous, next, 'the list');
}

const SCOPE = { service: 'web', list: 'the list' };

describe('the events between two snapshots', () => {
  it('name each instance that was added or removed, and where it is', () => {
    expect(between([at(1), at(2)], [at(2), at(3)])).toEqual([
      { type: 'instance.added', ...SCOPE, id: 'web-3', address: '10.0.0.1:3' },
      { type: 'instance.removed', ...SCOPE, id: 'web-1', address: '10.0.0.1:1' },
    ]);
  });

  it('name a status that has changed, and no other change', () => {
    const moved = { ...at(2), weight: 7 };
    expect(between([at(1), at(2)], [at(1, 'warning'), moved])).toEqual([
      { type: 'instance.status', ...SCOPE, id: 'web-1', from: 'passing', to: 'warning' },
    ]);
  });

  it('tell when the last usable instance is gone, and when there is one again, with how many there are', () => {
    expect(between([at(1), at(2)], [at(1, 'critical'), at(2, 'critical')])).toContainEqual({
      type: 'service.unavailable',
      ...SCOPE,
    });
    expect(between([at(1, 'critical')], [at(1), at(2)])).toContainEqual({
      type: 'service.available',
      ...SCOPE,
      instances: 2,
    });
    expect(between([at(1, 'critical')], [at(1)])).toContainEqual({
      type: 'service.available',
      ...SCOPE,
      instances: 1,
    });
    expect(between([at(1)], [])).toContainEqual({ type: 'service.unavailable', ...SCOPE });
  });

  it('tell neither where it stays as it was', () => {
    const types = (events: readonly DiscoveryEvent[]): string[] => events.map(({ type }) => type);
    expect(types(between([at(1), at(2)], [at(1)]))).toEqual(['instance.removed']);
    expect(types(between([at(1)], [at(1), at(2)]))).toEqual(['instance.added']);
    expect(types(between([at(1, 'critical')], [at(1, 'maintenance')]))).toEqual(['instance.status']);
  });
});
