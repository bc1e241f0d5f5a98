import type { Server } from 'node:http';
import {
  Inject,
  Logger,
  Module,
  type DynamicModule,
  type FactoryProvider,
  type ModuleMetadata,
  type NestModule,
  type OnApplicationShutdown,
  type Provider,
} from '@nestjs/common';
import {
  DiscoveryModule as ProviderScannerModule,
  HttpAdapterHost,
  type AbstractHttpAdapter,
} from '@nestjs/core';
import { HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { RoundRobinBalancer } from './balancing/round-robin.balancer.js';
import { ServiceCaller } from './calling/service-caller.js';
import { ServiceCatalog } from './catalog/service-catalog.js';
import { toMilliseconds } from './configuration/duration.js';
import type { DiscoveryOptions } from './discovery-options.js';
import { DiscoveryService } from './discovery.service.js';
import { HealthContributors } from './health/health-contributors.js';
import { mountHealthRoutes } from './health/health-routes.js';
import { HealthService } from './health/health.service.js';
import { HttpConnections } from './http/http-connections.js';
import { ServiceClientFactory } from './http/service-client.factory.js';
import { ServiceClientsModule } from './http/service-clients.module.js';
import { RegistrationService } from './registration/registration.service.js';
import { Reachability } from './registry/reachability.js';
import { ServiceRegistry } from './registry/service-registry.js';
import { systemClock } from './timing/clock.js';

/** Checked options, and the registry that the core runs on. */
export interface DiscoveryModuleOptions extends DiscoveryOptions {
  readonly registry: ServiceRegistry;
}

export interface DiscoveryModuleAsyncOptions {
  imports?: ModuleMetadata['imports'];
  inject?: FactoryProvider['inject'];
  // The arguments are what `inject` names; Nest types them the same way.
  useFactory: (...args: never[]) => DiscoveryModuleOptions | Promise<DiscoveryModuleOptions>;
}

const DISCOVERY_MODULE_OPTIONS = Symbol('rookery:discovery-module-options');
const DEFAULT_HEALTH_PATH = '/health';

/** The core on any registry. Applications import the module of their registry, such as `ConsulModule`, instead. */
@Module({})
export class DiscoveryModule implements NestModule, OnApplicationShutdown {
  constructor(
    @Inject(DISCOVERY_MODULE_OPTIONS) private readonly options: DiscoveryModuleOptions,
    private readonly host: HttpAdapterHost,
    private readonly health: HealthService,
    private readonly catalog: ServiceCatalog,
    private readonly connections: HttpConnections,
  ) {}

  static forRootAsync(options: DiscoveryModuleAsyncOptions): DynamicModule {
    // A module instance of our own: Consul asks every few seconds, and a failing check is not worth a line each time.
    const terminus = TerminusModule.forRoot({ logger: false });
    return {
      module: DiscoveryModule,
      global: true,
      imports: [...(options.imports ?? []), ProviderScannerModule, ServiceClientsModule, terminus],
      providers: [
        {
          provide: DISCOVERY_MODULE_OPTIONS,
          useFactory: options.useFactory as FactoryProvider['useFactory'],
          inject: options.inject ?? [],
        },
        ...coreProviders,
      ],
      exports: [
        ServiceRegistry,
        DiscoveryService,
        RegistrationService,
        HealthService,
        ServiceClientFactory,
        terminus, // for HealthIndicatorService, which every health contributor needs
      ],
    };
  }

  /** Runs before the app's controllers are routed, so that a catch-all route does not swallow the health path. */
  configure(): void {
    // Null in an application context, whatever its type says.
    const adapter = this.host.httpAdapter as AbstractHttpAdapter | null;
    if (adapter) mountHealthRoutes(adapter, this.options.health?.path ?? DEFAULT_HEALTH_PATH, this.health);
  }

  async onApplicationShutdown(): Promise<void> {
    this.catalog.close();
    await Promise.all([this.connections.close(), this.options.registry.close()]);
  }
}

const coreProviders: Provider[] = [
  HealthContributors,
  Reachability,
  {
    provide: ServiceRegistry,
    useFactory: ({ registry }: DiscoveryModuleOptions) => registry,
    inject: [DISCOVERY_MODULE_OPTIONS],
  },
  {
    provide: ServiceCatalog,
    useFactory: ({ registry, discovery }: DiscoveryModuleOptions, reachability: Reachability) =>
      new ServiceCatalog(registry, {
        clock: systemClock,
        random: Math.random,
        logger: new Logger(ServiceCatalog.name),
        reachability,
        firstListTimeout: toMilliseconds(discovery?.firstListTimeout ?? '5s', 'discovery.firstListTimeout'),
      }),
    inject: [DISCOVERY_MODULE_OPTIONS, Reachability],
  },
  {
    provide: ServiceCaller,
    useFactory: (catalog: ServiceCatalog) =>
      new ServiceCaller(catalog, {
        clock: systemClock,
        createBalancer: () => new RoundRobinBalancer(Math.random),
      }),
    inject: [ServiceCatalog],
  },
  {
    provide: DiscoveryService,
    useFactory: (catalog: ServiceCatalog, caller: ServiceCaller) => new DiscoveryService(catalog, caller),
    inject: [ServiceCatalog, ServiceCaller],
  },
  { provide: HttpConnections, useFactory: () => new HttpConnections() },
  {
    provide: ServiceClientFactory,
    useFactory: (caller: ServiceCaller, connections: HttpConnections) =>
      new ServiceClientFactory(caller, connections),
    inject: [ServiceCaller, HttpConnections],
  },
  {
    provide: HealthService,
    useFactory: (
      { health }: DiscoveryModuleOptions,
      terminus: HealthCheckService,
      contributors: HealthContributors,
    ) =>
      new HealthService(
        terminus,
        contributors,
        systemClock,
        toMilliseconds(health?.timeout ?? '4s', 'health.timeout'),
      ),
    inject: [DISCOVERY_MODULE_OPTIONS, HealthCheckService, HealthContributors],
  },
  {
    provide: RegistrationService,
    useFactory: (
      { registry, service, health, shutdown }: DiscoveryModuleOptions,
      host: HttpAdapterHost<AbstractHttpAdapter<Server>>,
      healthService: HealthService,
      reachability: Reachability,
    ) =>
      new RegistrationService(registry, host, healthService, {
        service,
        healthPath: health?.path ?? DEFAULT_HEALTH_PATH,
        deregisterTimeout: toMilliseconds(shutdown?.deregisterTimeout ?? '3s', 'shutdown.deregisterTimeout'),
        clock: systemClock,
        random: Math.random,
        reachability,
      }),
    inject: [DISCOVERY_MODULE_OPTIONS, HttpAdapterHost, HealthService, Reachability],
  },
];
