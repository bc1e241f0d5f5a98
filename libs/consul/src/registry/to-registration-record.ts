import { withoutUrlSecrets, type RegistrationRecord } from '@rookery/discovery/adapter';
import type { AgentService, HealthCheck } from '../client/api/types.js';
import { SECURE_META } from './service-definition.js';
import { MAINTENANCE_CHECK, worstStatus } from '../client/worst-status.js';

/** Converts what an agent holds about a service, with the checks of that service. */
export function toRegistrationRecord(service: AgentService, own: readonly HealthCheck[]): RegistrationRecord {
  const { [SECURE_META]: secure, ...meta } = service.Meta ?? {};
  // Optional in spite of its type: older agents leave out what they do not know.
  const weights = service.Weights as AgentService['Weights'] | undefined;
  const tagged = Object.entries(service.TaggedAddresses ?? {}).map(
    ([name, { Address: address, Port: port }]) => [name, { address, port }] as const,
  );
  return {
    service: service.Service,
    address: service.Address || undefined,
    port: service.Port,
    secure: secure === 'true',
    tags: service.Tags ?? [],
    meta,
    weights: { passing: weights?.Passing ?? 1, warning: weights?.Warning ?? 1 },
    taggedAddresses: Object.fromEntries(tagged),
    checks: own
      .filter(({ CheckID }) => !MAINTENANCE_CHECK.test(CheckID))
      .map(({ CheckID: id, Name: name, Notes: notes }) => ({ id, name, notes })),
    status: worstStatus(own),
    failing: own
      .filter(({ CheckID, Status }) => Status === 'critical' && !MAINTENANCE_CHECK.test(CheckID))
      .map(({ CheckID: id, Name, Output }) => ({
        id,
        output: `${Name}: ${withoutUrlSecrets(Output.trim())}`,
      })),
    maintenance: own.find(({ CheckID }) => MAINTENANCE_CHECK.test(CheckID))?.Notes,
  };
}
