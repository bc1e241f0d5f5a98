import type { ServerInterceptor, UntypedServiceImplementation } from '@grpc/grpc-js';
import { Injectable } from '@nestjs/common';
import { Transport, type GrpcOptions } from '@nestjs/microservices';
import type { HealthService } from '@rookery/discovery';
import {
  systemClock,
  type CallReceiver,
  type HealthContributors,
  type MicroserviceSupport,
  type RpcTarget,
  type ServiceMesh,
} from '@rookery/discovery/adapter';
import { HealthEndpoint } from './health-endpoint.js';
import { loadTrailer } from './load-trailer.js';
import { meshGuard, meshServerCredentials } from './mesh-server.js';
import { HEALTH_SERVICE, healthService } from './standard-services.js';

type ServerOptions = GrpcOptions['options'];
/** What of Nest's server for gRPC is used; it is private there. */
type GrpcTarget = RpcTarget & { options?: ServerOptions };

/** What of a server of @grpc/grpc-js is used. */
interface GrpcServer {
  addService(service: object, implementation: UntypedServiceImplementation): void;
}

export interface GrpcServersOptions {
  readonly health: HealthService;
  readonly contributors: HealthContributors;
  readonly receiver: CallReceiver;
  /** Undefined: the app is part of none. */
  readonly mesh: ServiceMesh | undefined;
}

/**
 * Adds to the gRPC servers of the app, before they listen, the standard health service, unless the app has its own, and reports of their load. Options are
 * replaced, and never changed: several servers may share them.
 */
@Injectable()
export class GrpcServers implements MicroserviceSupport {
  readonly #options: GrpcServersOptions;
  readonly #prepared = new WeakSet<RpcTarget>();

  constructor(options: GrpcServersOptions) {
    this.#options = options;
  }

  prepare(target: RpcTarget): void {
    const grpc = target as GrpcTarget;
    const { options } = grpc;
    // Another version of Nest may have them elsewhere: the server is as it would be without this module.
    if (target.transportId !== Transport.GRPC || typeof options !== 'object') return;
    const { onLoadPackageDefinition: own, channelOptions } = options;
    const { interceptors = [] } = (channelOptions ?? {}) as { interceptors?: ServerInterceptor[] };
    const { receiver, mesh } = this.#options;
    // What has credentials of its own is no part of the mesh.
    const joined = options.credentials === undefined ? mesh : undefined;
    const added = {
      interceptors: [loadTrailer(receiver), ...(joined ? [meshGuard(joined)] : []), ...interceptors],
    };
    grpc.options = {
      ...options,
      ...(joined ? { credentials: meshServerCredentials(joined) } : {}),
      channelOptions: { ...channelOptions, ...(added as object) },
      onLoadPackageDefinition: (definition: object, server: GrpcServer) => {
        own?.(definition, server);
        if (!servesHealth(options, definition)) this.#mount(grpc, server, definition);
      },
    };
    this.#prepared.add(target);
  }

  hasGrpcHealth(target: RpcTarget): boolean {
    return this.#prepared.has(target);
  }

  #mount(target: GrpcTarget, server: GrpcServer, definition: object): void {
    const { health, contributors } = this.#options;
    const endpoint = new HealthEndpoint({
      health,
      services: servicesOf(definition),
      groups: () => new Set(['liveness', 'readiness', ...contributors.customGroups()]),
      clock: systemClock,
    });
    try {
      server.addService(healthService, endpoint.implementation);
    } catch {
      // The app has added its own.
      return;
    }
    // Before any hook Nest closes a microservice, with its connections.
    const close = target.close.bind(target);
    target.close = async () => {
      await endpoint.close();
      return close();
    };
  }
}

/** The app's protos have the health service, and the app serves it. */
function servesHealth(options: ServerOptions, definition: object): boolean {
  const packages = [options.package].flat();
  return HEALTH_SERVICE in definition && packages.some((name) => HEALTH_SERVICE.startsWith(`${name}.`));
}

function servicesOf(definition: object): ReadonlySet<string> {
  const entries = Object.entries(definition as Record<string, object>);
  // Messages and enumerations have a format.
  return new Set(entries.filter(([, value]) => !('format' in value)).map(([name]) => name));
}
