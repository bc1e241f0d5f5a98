import type { ServiceInstance } from '@rookery/discovery';
import { freezeInstance } from '@rookery/discovery/adapter';
import type { ServiceEntry } from '../client/api/types.js';
import { worstStatus } from '../client/worst-status.js';
import { SECURE_META } from './service-definition.js';

const ZONE_META = 'zone';

/** Converts an entry of `/v1/health/service` that `isValidEntry` accepts. An empty `Service.Address` means the node's. */
export function toServiceInstance(entry: ServiceEntry): ServiceInstance {
  const { Node: node, Service: service } = entry;
  const status = worstStatus(entry.Checks ?? []);
  const meta = service.Meta ?? {};
  // Optional in spite of its type: older agents leave out what they do not know.
  const weights = service.Weights as ServiceEntry['Service']['Weights'] | undefined;
  const isNative = service.Connect?.Native === true;
  return freezeInstance({
    id: service.ID,
    service: service.Service,
    address: service.Address || node.Address,
    port: service.Port,
    secure: isNative || meta[SECURE_META] === 'true',
    ...(isNative ? { inMesh: true } : {}),
    tags: [...(service.Tags ?? [])],
    meta: { ...meta },
    status,
    weight: (status === 'warning' ? weights?.Warning : weights?.Passing) ?? 1,
    zone: meta[ZONE_META] ?? node.Meta?.[ZONE_META],
    node: node.Node,
    datacenter: node.Datacenter,
  });
}
