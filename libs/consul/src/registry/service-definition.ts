import { formatDuration, type RegistrationCheck, type ServiceRegistration } from '@rookery/discovery/adapter';
import type { CheckDefinition, ServiceDefinition } from '../client/api/types.js';

/** The entry of `Meta` for an instance that speaks TLS; Consul has no field for it. */
export const SECURE_META = 'secure';

/**
 * Converts a registration. Only fields that are set are sent, since an older agent rejects unknown ones.
 *
 * @param isNative what speaks TLS does so as a part of Consul Connect
 */
export function toServiceDefinition(registration: ServiceRegistration, isNative = false): ServiceDefinition {
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
    ...(registration.enableTagOverride ? { EnableTagOverride: true } : {}),
    ...(weights ? { Weights: { Passing: weights.passing, Warning: weights.warning } } : {}),
    ...(isNative && registration.secure ? { Connect: { Native: true } } : {}),
    Checks: registration.checks.map((check) => toCheckDefinition(check, registration.status)),
  };
}

function toCheckDefinition(check: RegistrationCheck, status: ServiceRegistration['status']): CheckDefinition {
  const after = check.deregisterCriticalServiceAfterMs;
  return withoutUndefined({
    CheckID: check.id,
    Name: check.name,
    Notes: check.notes,
    // A registration that is critical is so on purpose: it was removed for that.
    Status: status === 'critical' ? status : (check.status ?? status),
    ...('intervalMs' in check
      ? { Interval: formatDuration(check.intervalMs), Timeout: formatDuration(check.timeoutMs) }
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
      return { TTL: formatDuration(check.ttlMs) };
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
