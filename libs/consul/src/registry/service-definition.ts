import { formatDuration, type RegistrationCheck, type ServiceRegistration } from '@rookery/discovery';
import type { CheckDefinition, ServiceDefinition } from '../client/api/types.js';

/** Consul has no field for it; readers of `SECURE_META` know that the instance speaks TLS. */
export const SECURE_META = 'secure';

/** What is registered, in Consul's words. */
export function toServiceDefinition(registration: ServiceRegistration): ServiceDefinition {
  const { address, weights } = registration;
  return {
    ID: registration.id,
    Name: registration.service,
    Port: registration.port,
    Tags: registration.tags,
    Meta: { ...registration.meta, ...(registration.secure ? { [SECURE_META]: 'true' } : {}) },
    ...(address === undefined ? {} : { Address: address }),
    ...(weights ? { Weights: { Passing: weights.passing, Warning: weights.warning } } : {}),
    Checks: registration.checks.map((check) => toCheckDefinition(check, registration.status)),
  };
}

function toCheckDefinition(check: RegistrationCheck, status: ServiceRegistration['status']): CheckDefinition {
  const after = check.deregisterCriticalServiceAfter;
  const shared: CheckDefinition = {
    CheckID: check.id,
    Name: check.name,
    Interval: formatDuration(check.interval),
    Timeout: formatDuration(check.timeout),
    Status: status,
    ...(after === undefined ? {} : { DeregisterCriticalServiceAfter: formatDuration(after) }),
  };
  if (check.type === 'tcp') return { ...shared, TCP: check.address };
  return {
    ...shared,
    HTTP: check.url,
    ...(check.method === undefined ? {} : { Method: check.method }),
    ...(check.headers ? { Header: toHeaderLists(check.headers) } : {}),
    ...(check.tlsSkipVerify ? { TLSSkipVerify: true } : {}),
  };
}

function toHeaderLists(headers: Readonly<Record<string, string>>): Record<string, string[]> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]]));
}
