import cluster from 'node:cluster';
import { hostname } from 'node:os';
import type { LoggerService } from '@nestjs/common';
import type { ServiceMesh } from '../../certificates/service-mesh.js';
import type { ServiceRegistry } from '../../registry/service-registry.js';
import type { Clock } from '../../timing/clock.js';
import { withTimeout } from '../../timing/with-timeout.js';
import type { Listening } from '../describe-registration.js';
import type { ServiceOptions } from '../options/service-options.js';
import {
  addressTowards,
  addressWithin,
  chooseAddress,
  externalAddress,
  isLoopback,
} from './advertised-address.js';
import type { ListeningServer } from './app-servers.js';
import { explainUnreachable, findAdvertised } from './self-check.js';

export interface LocationOptions {
  readonly registry: ServiceRegistry;
  readonly healthPath: string;
  /** Precedes every route of the app, such as `/api`; empty where it has none. */
  readonly globalPrefix: string;
  /** The address and zone of this process, from the environment. */
  readonly environment: { readonly address: string | undefined; readonly zone: string | undefined };
  readonly clock: Clock;
  readonly logger: LoggerService;
  readonly mesh: Pick<ServiceMesh, 'checkPort'> | undefined;
}

const LOOKUP_TIMEOUT_MS = 2_000;

/** Where the instance is, for others and for the checks of the registry. */
export async function locateInstance(
  service: ServiceOptions,
  server: ListeningServer,
  { registry, healthPath, globalPrefix, environment, clock, logger, mesh }: LocationOptions,
): Promise<Listening> {
  const option = service.address ?? environment.address;
  const advertised = chooseAddress({
    option,
    preferred: addressWithin(service.preferredNetworks ?? []),
    bound: server.host,
    registryHost: registry.host,
    registryKnowsNodeAddress: registry.knowsNodeAddress,
    towardsRegistry: registry.host === undefined ? undefined : await towards(registry.host, clock),
    external: externalAddress(),
  });
  if (server.host !== undefined && isLoopback(server.host) && option === undefined) {
    const cure = server.http
      ? "app.listen(port, '0.0.0.0')"
      : "options: { host: '0.0.0.0' } of the microservice, whose default is localhost";
    logger.warn(
      `"${service.name}" listens on ${server.host} only, which no other host can reach. ` +
        `Listen on all interfaces, ${cure}, or set service.address`,
    );
  }
  return {
    ...advertised,
    port: server.port,
    secure: server.secure,
    hostName: hostname(),
    healthPath,
    hasHealthPath: server.http !== undefined,
    hasGrpcHealth: server.hasGrpcHealth,
    contextPath: server.http === undefined ? '' : globalPrefix,
    zone: environment.zone,
    reportTtlMs: registry.reportTtlMs,
    inMesh: await checksIn(mesh, server),
  };
}

async function checksIn(
  mesh: LocationOptions['mesh'],
  { secure, http, host }: ListeningServer,
): Promise<Listening['inMesh']> {
  if (!mesh || !secure) return undefined;
  return { checkPort: http ? await mesh.checkPort(host) : undefined };
}

/** Bounded, since name resolution may hang. */
async function towards(host: string, clock: Clock): Promise<string | undefined> {
  const found = addressTowards(host);
  return withTimeout(clock, LOOKUP_TIMEOUT_MS, found, () => new Error('timed out')).catch(() => undefined);
}

/** A registered instance, and where it is. */
export interface LocatedInstance {
  readonly id: string;
  readonly service: ServiceOptions;
  readonly listening: Listening;
  readonly server: ListeningServer;
}

/** Logs a warning when the advertised address does not lead to this app. */
export async function checkReachable(
  { id, service, listening, server }: LocatedInstance,
  registry: ServiceRegistry,
  logger: LoggerService,
  signal: AbortSignal,
): Promise<void> {
  const port = service.port ?? server.port;
  const address = listening.address ?? (await findAdvertised(registry, service.name, id, signal));
  // The workers of a cluster share a port: another of them may accept the connection.
  const connections = cluster.isWorker ? undefined : server.connections;
  const problem = address && (await explainUnreachable(address, port, connections));
  if (problem && !signal.aborted) logger.warn(`others cannot reach "${id}": ${problem}`);
}
