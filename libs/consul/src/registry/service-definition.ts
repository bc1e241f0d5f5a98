import { formatDuration, type RegistrationCheck, type ServiceRegistration } from '@rookery/discovery';
import type { CheckDefinition, ServiceDefinition } from '../client/api/types.js';

/** Consul has no field for it; readers of `SECURE_META` know that the instance speaks TLS. */
export const SECURE_META = 'secure';

/** What is registered, in Consul's words: an old agent refuses what it does not know, so that only what is set is sent. */
export function toServiceDefinition(registration: ServiceRegistration): ServiceDefinition {
  const { address, weights } = registration;
  const tagged = Object.entries(registration.taggedAddresses).map(
    ([name, to]) => [name, { Address: to.address, Port: to.port }] as const,
  );
  return {
    ID: registration.id,
    Name: registration.service,
    Port: registration.port,
    Tags: registration.tags,
    Meta: { ...registration.meta, ...(registration.secure ? { [SECURE_META]: 'true' } : {}) },
    ...(address === undefined ? {} : { Address: address }),
    ...(tagged.length > 0 ? { TaggedAddresses: Object.fromEntries(tagged) } : {}),
    ...(weights ? { Weights: { Passing: weights.passing, Warning: weights.warning } } : {}),
    Checks: registration.checks.map((check) => toCheckDefinition(check, registration.status)),
  };
}

function toCheckDefinition(check: RegistrationCheck, status: ServiceRegistration['status']): CheckDefinition {
  const after = check.deregisterCriticalServiceAfter;
  return withoutUndefined({
    CheckID: check.id,
    Name: check.name,
    Notes: check.notes,
    Status: check.status ?? status,
    ...('interval' in check
      ? { Interval: formatDuration(check.interval), Timeout: formatDuration(check.timeout) }
      : {}),
    DeregisterCriticalServiceAfter: after === undefined ? undefined : formatDuration(after),
    SuccessBeforePassing: check.successBeforePassing,
    FailuresBeforeCritical: check.failuresBeforeCritical,
    ...toProbe(check),
  });
}

function toProbe(check: RegistrationCheck): Optional<CheckDefinition> {
  switch (check.type) {
    case 'http':
      return {
        HTTP: check.url,
        Method: check.method,
        Header: check.headers && toHeaderLists(check.headers),
        Body: check.body,
        TLSSkipVerify: check.tlsSkipVerify || undefined,
      };
    case 'tcp':
      return { TCP: check.address };
    case 'grpc':
      return {
        GRPC: check.address,
        GRPCUseTLS: check.useTls || undefined,
        TLSSkipVerify: check.tlsSkipVerify || undefined,
      };
    case 'ttl':
      return { TTL: formatDuration(check.ttl) };
    case 'script':
      return { ScriptArgs: check.args };
    case 'alias':
      return { AliasService: check.service, AliasNode: check.node };
  }
}

type Optional<T> = { [K in keyof T]?: T[K] | undefined };

function withoutUndefined(definition: Optional<CheckDefinition>): CheckDefinition {
  return Object.fromEntries(
    Object.entries(definition).filter(([, value]: [string, unknown]) => value !== undefined),
  );
}

function toHeaderLists(headers: Readonly<Record<string, string>>): Record<string, string[]> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]]));
}
