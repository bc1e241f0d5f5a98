import { describe, expect, it } from '@jest/globals';
import type { InstanceStatus, ServiceInstance } from '../registry/service-instance.js';
import { InMemoryRegistry } from '../testing/in-memory.registry.js';
import { nextSnapshot } from './next-snapshot.js';
import { serviceState } from './service-state.js';
import type { ServiceView } from './service-view.js';

const REPORT = { updates: 0, spurious: 0, reconnects: 0, error: undefined as string | undefined };

function stateOf(
  statuses: readonly InstanceStatus[] | undefined,
  reports: readonly Partial<typeof REPORT>[] = [{}],
  query: ServiceView['query'] = {},
): ReturnType<typeof serviceState> {
  const registry = new InMemoryRegistry();
  const instances = statuses?.map((status, port): ServiceInstance =>
    registry.put({ service: 'web', port: port + 1, status }),
  );
  const snapshot =
    instances &&
    nextSnapshot(undefined, {
      ...{ service: 'web', instances, suspects: new Set<string>(), unreachable: new Set<string>() },
      ...{ source: 'live', receivedAt: 1, ageMs: () => 42 },
    });
  const sources = reports.map((report) => ({ watcher: { report: { ...REPORT, ...report } } }));
  return serviceState({ service: 'web', query, snapshot, sources } as unknown as ServiceView);
}

describe('the state of a service', () => {
  it('counts its instances by status', () => {
    const statuses = [
      'passing',
      'passing',
      'passing',
      'warning',
      'warning',
      'critical',
      'maintenance',
    ] as const;
    expect(stateOf(statuses)).toEqual({
      service: 'web',
      ageMs: 42,
      usable: 3,
      byStatus: { passing: 3, warning: 2, critical: 1, maintenance: 1 },
      updates: 0,
      spurious: 0,
      reconnects: 0,
      error: undefined,
    });
    expect(stateOf(['critical']).byStatus).toEqual({ passing: 0, warning: 0, critical: 1, maintenance: 0 });
    expect(stateOf(statuses, [{}], { includeWarning: true }).usable).toBe(5);
  });

  it('is empty where there is no list yet', () => {
    expect(stateOf(undefined)).toMatchObject({
      ageMs: undefined,
      usable: 0,
      byStatus: { passing: 0, warning: 0, critical: 0, maintenance: 0 },
    });
  });

  it('sums what its watches report, and has the first error among them', () => {
    const reports = [
      { updates: 1, spurious: 2, reconnects: 3 },
      { updates: 10, spurious: 20, reconnects: 30, error: 'first' },
      { error: 'second' },
    ];
    expect(stateOf([], reports)).toMatchObject({ updates: 11, spurious: 22, reconnects: 33, error: 'first' });
  });
});
