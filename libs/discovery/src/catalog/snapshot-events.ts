import type { DiscoveryEvent } from '../events/discovery-event.js';
import { hostAndPort, instanceKey, type ServiceInstance } from '../registry/service-instance.js';
import type { ServiceSnapshot } from './service-snapshot.js';

/** The events between one snapshot of a list and the next. */
export function tellOfChange(
  previous: ServiceSnapshot,
  snapshot: ServiceSnapshot,
  list: string,
  emit: (event: DiscoveryEvent) => void,
): void {
  const { service, difference } = snapshot;
  const of = { service, list };
  const told = ({ id, ...instance }: ServiceInstance): { id: string; address: string } => ({
    id,
    address: hostAndPort(instance),
  });
  for (const instance of difference.added) emit({ type: 'instance.added', ...of, ...told(instance) });
  for (const instance of difference.removed) emit({ type: 'instance.removed', ...of, ...told(instance) });
  if (difference.changed.length > 0) {
    const before = new Map(previous.instances.map((instance) => [instanceKey(instance), instance.status]));
    for (const instance of difference.changed) {
      const { id, status: to } = instance;
      const from = before.get(instanceKey(instance)) ?? to;
      if (from !== to) emit({ type: 'instance.status', ...of, id, from, to });
    }
  }
  const [had, has] = [previous.usable.length, snapshot.usable.length];
  if (had > 0 && has === 0) emit({ type: 'service.unavailable', ...of });
  if (had === 0 && has > 0) emit({ type: 'service.available', ...of, instances: has });
}
