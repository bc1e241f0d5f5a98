import type { InstanceStatus } from '@rookery/discovery';
import type { HealthCheck } from './api/types.js';

export const MAINTENANCE_CHECK = /^(_node_maintenance$|_service_maintenance:)/;

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
