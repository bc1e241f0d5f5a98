import type { DiscoveryEvent } from '../events/discovery-event.js';
import { hostAndPort, instanceKey, type ServiceInstance } from '../registry/service-instance.js';
import type { ServiceSnapshot } from './service-snapshot.js';

/** The events between one snapshot of a list and the next. */
export function eventsBetween(
  previous: ServiceSnapshot,
  snapshot: ServiceSnapshot,
  list: string,
): readonly DiscoveryEvent[] {
  const { service, changes } = snapshot;
  const scope = { service, list };
  const located = ({ id, ...instance }: ServiceInstance): { id: string; address: string } => ({
    id,
    address: hostAndPort(instance),
  });
  const events: DiscoveryEvent[] = [];
  for (const instance of changes.added)
    events.push({ type: 'instance.added', ...scope, ...located(instance) });
  for (const instance of changes.removed)
    events.push({ type: 'instance.removed', ...scope, ...located(instance) });
  if (changes.changed.length > 0) {
    const before = new Map(previous.instances.map((instance) => [instanceKey(instance), instance.status]));
    for (const instance of changes.changed) {
      const { id, status: to } = instance;
      const from = before.get(instanceKey(instance)) ?? to;
      if (from !== to) events.push({ type: 'instance.status', ...scope, id, from, to });
    }
  }
  const [usableBefore, usableNow] = [previous.usable.length, snapshot.usable.length];
  if (usableBefore > 0 && usableNow === 0) events.push({ type: 'service.unavailable', ...scope });
  if (usableBefore === 0 && usableNow > 0)
    events.push({ type: 'service.available', ...scope, instances: usableNow });
  return events;
}
