import type { CallDefaults } from './calling/options/call-options.js';
import { callDefaultsShape } from './calling/options/client-options.js';
import type { TlsSettings } from './certificates/tls-settings.js';
import type { ServiceMesh } from './certificates/service-mesh.js';
import type { TargetPicks } from './calling/target-picks.js';
import { invalidConfigError, validateOptions } from './configuration/validate-options.js';
import type { DiscoveryService } from './discovery.service.js';
import { discoveryTools } from './discovery-tools.js';
import type { ServiceInstance } from './registry/service-instance.js';
import type { ServiceQuery } from './registry/service-query.js';
import { z } from 'zod';

/** Which instances a client of another transport calls, and how. */
export interface PicksOptions extends CallDefaults {
  query?: ServiceQuery;
}

const optionsSchema = z.object(callDefaultsShape);

/** @throws DiscoveryError `RK_CONFIG_INVALID` for a wrong option */
export function assertPicksOptions(where: string, { query: _, ...defaults }: PicksOptions): void {
  const issues = validateOptions(optionsSchema, defaults);
  if (issues.length > 0) throw invalidConfigError(where, issues);
}

/**
 * For a transport that makes attempts by itself: picks as the calls of this app do.
 *
 * @param where the caller, for errors
 * @throws DiscoveryError `RK_CONFIG_INVALID` for a wrong option
 */
export function discoveryPicks(
  discovery: DiscoveryService,
  service: string,
  { query, ...defaults }: PicksOptions,
  where: string,
): TargetPicks {
  assertPicksOptions(`${where}('${service}')`, defaults);
  return discoveryTools(discovery, where).caller.picks(service, query, defaults);
}

/** The mesh that an app is part of. @returns undefined: none */
export function meshOf(discovery: DiscoveryService): ServiceMesh | undefined {
  return discoveryTools(discovery, 'meshOf').mesh;
}

/** As of HTTP clients: the authorities that Node trusts, and the address of the instance. */
const DEFAULT_TLS: TlsSettings = { certificates: undefined, serverName: undefined, verify: true };

/**
 * How connections to an instance are secured: by the mesh that both are part of, or by `clients.tls`.
 *
 * @returns undefined: it speaks no TLS
 */
export function tlsTo(discovery: DiscoveryService, instance: ServiceInstance): TlsSettings | undefined {
  const { mesh, caller } = discoveryTools(discovery, 'tlsTo');
  const { secure, service } = instance;
  const ofMesh = mesh?.tlsFor(instance);
  if (ofMesh || !secure) return ofMesh;
  return caller.httpSettings(service, {}).connection.tls ?? DEFAULT_TLS;
}
