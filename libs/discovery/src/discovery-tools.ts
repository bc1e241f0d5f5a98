import type { ServiceCaller } from './calling/service-caller.js';
import type { ServiceMesh } from './certificates/service-mesh.js';
import type { ServiceCatalog } from './catalog/service-catalog.js';
import type { DiscoveryService } from './discovery.service.js';
import { DiscoveryError } from './errors/discovery-error.js';
import type { HttpConnections } from './http/http-connections.js';

interface DiscoveryTools {
  readonly caller: ServiceCaller;
  readonly catalog: ServiceCatalog;
  readonly connections: HttpConnections;
  readonly mesh: ServiceMesh | undefined;
}

/** What the `DiscoveryService` of an app calls with, for what is built on it. */
const known = new WeakMap<DiscoveryService, DiscoveryTools>();

export function connectDiscovery(discovery: DiscoveryService, tools: DiscoveryTools): void {
  known.set(discovery, tools);
}

/** @throws DiscoveryError `RK_INVALID_ARGUMENT` for what is no `DiscoveryService` of an app */
export function discoveryTools(discovery: DiscoveryService, where: string): DiscoveryTools {
  const tools = known.get(discovery);
  if (tools) return tools;
  throw new DiscoveryError('RK_INVALID_ARGUMENT', `${where}: this is no DiscoveryService of an app`, {
    hint: 'Inject the one of ConsulModule: @nestjs/core has a class of the same name',
  });
}
