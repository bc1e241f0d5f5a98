import type { InstanceStatus, ServiceInstance } from '@rookery/discovery';
import { freezeInstance } from '@rookery/discovery/adapter';
import type { HealthCheck, ServiceEntry } from '../client/api/types.js';
import { SECURE_META } from './service-definition.js';

export const MAINTENANCE_CHECK = /^(_node_maintenance$|_service_maintenance:)/;
const ZONE_META = 'zone';

/** Converts an entry of `/v1/health/service` that `isValidEntry` accepts. An empty `Service.Address` means the node's. */
export function toServiceInstance(entry: ServiceEntry): ServiceInstance {
  const { Node: node, Service: service } = entry;
  const status = worstStatus(entry.Checks ?? []);
  const meta = service.Meta ?? {};
  // Optional in spite of its type: older agents leave out what they do not know.
  const weights = service.Weights as ServiceEntry['Service']['Weights'] | undefined;
  return freezeInstance({
    id: service.ID,
    service: service.Service,
    address: service.Address || node.Address,
    port: service.Port,
    secure: meta[SECURE_META] === 'true',
    tags: [...(service.Tags ?? [])],
    meta: { ...meta },
    status,
    weight: (status === 'warning' ? weights?.Warning : weights?.Passing) ?? 1,
    zone: meta[ZONE_META] ?? node.Meta?.[ZONE_META],
    node: node.Node,
    datacenter: node.Datacenter,
  });
}

/** The worst of all checks, those of the node included; an instance without checks is passing. */
export function worstStatus(checks: readonly Pick<HealthCheck, 'CheckID' | 'Status'>[]): InstanceStatus {
  let worst: InstanceStatus = 'passing';
  for (const { CheckID, Status } of checks) {
    if (MAINTENANCE_CHECK.test(CheckID)) return 'maintenance';
    if (Status === 'critical') worst = 'critical';
    else if (Status === 'warning' && worst === 'passing') worst = 'warning';
  }
  return worst;
}
