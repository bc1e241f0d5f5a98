import type { LocalService } from './local-state.js';
import { proxyRecord } from './proxy.js';
import type { ServiceBody } from './service-schema.js';
import { sidecarOf } from './sidecar.js';
import { validateService, validateSidecar } from './validate-service.js';

/** A service to register, and the sidecar that it asks for. */
export interface ServiceRegistration {
  readonly service: ServiceBody;
  readonly sidecar: ServiceBody | undefined;
}

/** Refuses what Consul refuses, and what this agent would drop in silence, before anything is registered. */
export function registrationOf(
  service: ServiceBody,
  services: Iterable<LocalService>,
  enableScriptChecks: boolean,
): ServiceRegistration {
  validateService(service, enableScriptChecks);
  const sidecar = sidecarOf(service, services);
  if (sidecar) validateSidecar(sidecar, enableScriptChecks);
  for (const each of [service, sidecar]) proxyRecord(each?.Proxy);
  return { service, sidecar };
}
