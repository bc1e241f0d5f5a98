import { freezeInstance, type InstanceStatus, type ServiceInstance } from '@rookery/discovery';
import type { HealthCheck, ServiceEntry } from '../client/api/types.js';
import { ConsulError } from '../client/consul-error.js';
import { SECURE_META } from './service-definition.js';

export const MAINTENANCE_CHECK = /^(_node_maintenance$|_service_maintenance:)/;
const ZONE_META = 'zone';

/** An instance as the core knows it. An empty `Service.Address` means its node's. */
export function toServiceInstance(entry: unknown): ServiceInstance {
  assertEntry(entry);
  const { Node: node, Service: service } = entry;
  const status = worstStatus(entry.Checks ?? []);
  const meta = service.Meta ?? {};
  // Null-safe all the same: older agents leave out what they do not know.
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

/** The worst of all checks, those of the node included; an instance without checks passes. */
export function worstStatus(checks: readonly Pick<HealthCheck, 'CheckID' | 'Status'>[]): InstanceStatus {
  let worst: InstanceStatus = 'passing';
  for (const { CheckID, Status } of checks) {
    if (MAINTENANCE_CHECK.test(CheckID)) return 'maintenance';
    if (Status === 'critical') worst = 'critical';
    else if (Status === 'warning' && worst === 'passing') worst = 'warning';
  }
  return worst;
}

function assertEntry(given: unknown): asserts given is ServiceEntry {
  const entry = given as Partial<ServiceEntry> | null;
  const service = entry?.Service;
  const whole =
    typeof entry?.Node?.Address === 'string' &&
    typeof service?.ID === 'string' &&
    typeof service.Service === 'string' &&
    typeof service.Port === 'number' &&
    // A prepared query has null where there is none.
    (entry.Checks === null ||
      (Array.isArray(entry.Checks) &&
        entry.Checks.every((check: unknown) => typeof check === 'object' && check !== null)));
  if (whole) return;
  throw new ConsulError(
    'RK_REGISTRY_BAD_ANSWER',
    'an instance of /v1/health/service lacks its node, id or port',
    {
      retryable: true,
      hint: 'Something between us and Consul may be rewriting its answers',
    },
  );
}
