import { describe, expect, it } from '@jest/globals';
import type { ServiceInstance } from '../registry/service-instance.js';
import type { ServiceQuery } from '../registry/service-query.js';
import { InMemoryRegistry } from '../testing/in-memory.registry.js';
import { explainView, type ServiceExplanation } from './explanation.js';
import { nextSnapshot } from './next-snapshot.js';
import type { ServiceSnapshot } from './service-snapshot.js';
import type { ServiceView } from './service-view.js';

type Known = Pick<ServiceInstance, 'port'> & Partial<ServiceInstance>;

function snapshotOf(instances: readonly Known[]): ServiceSnapshot {
  const registry = new InMemoryRegistry();
  const snapshot = nextSnapshot(undefined, {
    service: 'web',
    instances: instances.map((each) => registry.put({ service: 'web', id: `web-${each.port}`, ...each })),
    ...{ suspects: new Set<string>(), unreachable: new Set<string>() },
    ...{ source: 'live', receivedAt: 1, ageMs: () => 42 },
  });
  if (!snapshot) throw new Error('no snapshot');
  return snapshot;
}

/** Of lists, of which those in `chosen` are in use; the first one of those is what the view has. */
function explain(
  lists: readonly (readonly Known[])[],
  { query = {}, chosen = [0] }: { query?: ServiceQuery; chosen?: readonly number[] } = {},
): ServiceExplanation {
  const snapshots = lists.map(snapshotOf);
  const sources = snapshots.map((snapshot, n) => ({
    name: `list ${n}`,
    merge: 'first',
    watcher: { snapshot, report: { index: `${n}` }, explain: () => undefined },
  }));
  const snapshot = snapshots[chosen[0] ?? 0];
  return explainView({ service: 'web', query, sources, chosen, snapshot } as unknown as ServiceView);
}

const reasonsOf = ({ instances }: ServiceExplanation): string[] =>
  instances.map(({ id, state, reason }) => `${id} ${state}: ${reason}`);

describe('the explanation of a service', () => {
  it('has its snapshot, its lists and its instances', () => {
    const one: Known = { port: 1, zone: 'a', weight: 3, node: 'n1', datacenter: 'dc1', address: '10.0.0.1' };
    expect(explain([[one], []])).toEqual({
      service: 'web',
      query: {},
      snapshot: { version: 1, source: 'live', ageMs: 42 },
      usable: 1,
      lists: [
        { name: 'list 0', index: '0', inUse: true },
        { name: 'list 1', index: '1', inUse: false },
      ],
      instances: [
        {
          ...{ id: 'web-1', address: '10.0.0.1:1', status: 'passing', weight: 3, zone: 'a' },
          ...{ datacenter: 'dc1', node: 'n1', state: 'eligible', reason: 'its checks pass' },
        },
      ],
    });
  });

  it('says of each status what it means', () => {
    const statuses = ['passing', 'warning', 'critical', 'maintenance'] as const;
    const all = statuses.map((status, n) => ({ port: n + 1, status }));
    expect(reasonsOf(explain([all]))).toEqual([
      'web-1 eligible: its checks pass',
      'web-2 warning: one of its checks is warning, and other instances are passing',
      'web-3 critical: one of its checks, or of its node, is critical',
      'web-4 maintenance: the instance, or its node, is in maintenance',
    ]);
    expect(reasonsOf(explain([all.slice(1)]))[0]).toBe(
      'web-2 eligible: one of its checks is warning, and no instance is passing',
    );
    expect(reasonsOf(explain([all], { query: { includeWarning: true } }))[1]).toBe(
      'web-2 eligible: one of its checks is warning, and the query includes those',
    );
  });

  it('says of a list that is not in use that it is not', () => {
    const [first, second] = explain([[{ port: 1, zone: 'z' }], [{ port: 2 }]], { chosen: [1] }).instances;
    expect(first).toMatchObject({
      id: 'web-1',
      zone: 'z',
      state: 'not-selected',
      reason: 'list 0 is not in use',
    });
    expect(second).toMatchObject({ id: 'web-2', state: 'eligible' });
  });

  it('says of an instance that another list has, too, that this is why it is left out', () => {
    const merged = explain([[{ port: 1 }], [{ port: 2, node: 'other' }]], { chosen: [0, 1] });
    expect(reasonsOf(merged)[1]).toBe('web-2 not-selected: another registry lists an instance with this id');
  });
});
