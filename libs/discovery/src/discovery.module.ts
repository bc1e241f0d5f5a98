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
  APP_INTERCEPTOR,
  DiscoveryModule as ProviderScannerModule,
  HttpAdapterHost,
  ModulesContainer,
  type AbstractHttpAdapter,
} from '@nestjs/core';
import { HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { withCalls } from './calling/call-explanation.js';
import { ServiceCaller } from './calling/service-caller.js';
import { probeInstance } from './registry/instance-probe.js';
import { ServiceCatalog } from './catalog/service-catalog.js';
import { SnapshotStore } from './catalog/snapshot-store.js';
import { tellOperator } from './events/event-logger.js';
import { toMilliseconds } from './configuration/duration.js';
import type { DiscoveryOptions } from './discovery-options.js';
import { DiscoveryService } from './discovery.service.js';
import { DiscoveryEvents } from './events/discovery-events.js';
import { HealthContributors } from './health/health-contributors.js';
import { mountHealthRoutes } from './health/health-routes.js';
import { HealthService } from './health/health.service.js';
import { LoadHealth } from './health/load.health.js';
import { HttpConnections } from './http/http-connections.js';
import { ServiceClientFactory } from './http/service-client.factory.js';
import { ServiceClientsModule } from './http/service-clients.module.js';
import { RegistryHealthIndicator } from './indicators/registry.health-indicator.js';
import { ServiceHealthIndicator } from './indicators/service.health-indicator.js';
import { mountDiscoveryRoutes } from './introspection/discovery-routes.js';
import { callerZones } from './calling/caller-zones.js';
import type { ServiceExplanation } from './catalog/explanation.js';
import { DeadlineInterceptor } from './receiving/deadline.interceptor.js';
import { receiveCall } from './receiving/receive-call.js';
import { AppServers } from './registration/location/app-servers.js';
import { DEFAULT_HEALTH_PATH, registrationOptions } from './registration-defaults.js';
import { RegistrationService } from './registration/registration.service.js';
import type { ServiceOptions } from './registration/options/service-options.js';
import { Reachability } from './registry/reconnect-signal.js';
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

/** The core on any registry. Applications import the module of their registry, such as `ConsulModule`, instead. */
@Module({})
export class DiscoveryModule implements NestModule, OnApplicationShutdown {
  #load: LoadHealth | undefined;

  constructor(
    @Inject(DISCOVERY_MODULE_OPTIONS) private readonly options: DiscoveryModuleOptions,
    private readonly host: HttpAdapterHost,
    private readonly health: HealthService,
    private readonly contributors: HealthContributors,
    private readonly catalog: ServiceCatalog,
    private readonly caller: ServiceCaller,
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
        DiscoveryEvents,
        RegistryHealthIndicator,
        ServiceHealthIndicator,
        ServiceClientFactory,
        terminus, // for HealthIndicatorService, which every health contributor needs
      ],
    };
  }

  /** Runs before the app's controllers are routed, so that a catch-all route does not swallow the health path. */
  configure(): void {
    const { path = DEFAULT_HEALTH_PATH, details = 'loopback', degradedAbove } = this.options.health ?? {};
    if (degradedAbove) {
      const { eventLoopLag, heapUsed } = degradedAbove;
      const field = 'health.degradedAbove.eventLoopLag';
      const eventLoopLagMs = eventLoopLag === undefined ? undefined : toMilliseconds(eventLoopLag, field);
      this.#load = new LoadHealth({ eventLoopLagMs, heapUsed });
      this.contributors.add(this.#load);
    }
    // Null in an application context, whatever its type says.
    const adapter = this.host.httpAdapter as AbstractHttpAdapter | null;
    const groups = this.contributors.customGroups();
    if (!adapter) return;
    const names = this.options.service ? [this.options.service].flat() : [];
    adapter.use(receiveCall(new Set(names.map(({ name }) => name)), systemClock));
    mountHealthRoutes(adapter, { path, details, groups }, this.health);
    const { path: at = '/discovery', visibleTo = 'loopback' } = this.options.discovery?.endpoint ?? {};
    const explainAll = (): readonly ServiceExplanation[] =>
      this.catalog.explainAll().map((explanation) => withCalls(explanation, this.caller));
    if (visibleTo !== 'nobody') mountDiscoveryRoutes(adapter, { path: at, visibleTo }, explainAll);
  }

  async onApplicationShutdown(): Promise<void> {
    this.#load?.close();
    this.caller.close();
    await this.catalog.close();
    await Promise.all([this.connections.close(), this.options.registry.close()]);
  }
}

function openStore(directory: string, logger: Logger, events: DiscoveryEvents): SnapshotStore {
  return new SnapshotStore({
    directory,
    clock: systemClock,
    onFailure: (file, reason) => {
      logger.warn(`the snapshot ${file}: ${reason}`);
      events.emit({ type: 'snapshot.failed', file, reason });
    },
  });
}

const coreProviders: Provider[] = [
  DiscoveryEvents,
  HealthContributors,
  Reachability,
  {
    provide: ServiceRegistry,
    useFactory: ({ registry }: DiscoveryModuleOptions) => registry,
    inject: [DISCOVERY_MODULE_OPTIONS],
  },
  {
    provide: ServiceCatalog,
    useFactory: (
      { registry, discovery = {} }: DiscoveryModuleOptions,
      reachability: Reachability,
      events: DiscoveryEvents,
    ) => {
      const { firstListTimeout = '5s', sources, merge, snapshotDirectory } = discovery;
      const logger = new Logger(ServiceCatalog.name);
      return new ServiceCatalog(registry, {
        clock: systemClock,
        random: Math.random,
        logger,
        reachability,
        probe: probeInstance,
        emit: (event) => events.emit(event),
        firstListTimeout: toMilliseconds(firstListTimeout, 'discovery.firstListTimeout'),
        store: snapshotDirectory === undefined ? undefined : openStore(snapshotDirectory, logger, events),
        ...(sources ? { sources } : {}),
        ...(merge ? { merge } : {}),
      });
    },
    inject: [DISCOVERY_MODULE_OPTIONS, Reachability, DiscoveryEvents],
  },
  {
    provide: ServiceCaller,
    useFactory: (
      { service = [], clients = {} }: DiscoveryModuleOptions,
      catalog: ServiceCatalog,
      connections: HttpConnections,
      events: DiscoveryEvents,
    ) => {
      const logger = new Logger(ServiceCaller.name);
      const [own] = Array.isArray(service)
        ? (service as readonly ServiceOptions[])
        : [service as ServiceOptions];
      return new ServiceCaller(catalog, {
        clock: systemClock,
        random: Math.random,
        clients,
        ...callerZones(catalog, own, clients.zone, process.env),
        probe: probeInstance,
        emit: (event) => {
          tellOperator(event, logger);
          events.emit(event);
        },
        onUnused: (instance) => connections.release(instance),
      });
    },
    inject: [DISCOVERY_MODULE_OPTIONS, ServiceCatalog, HttpConnections, DiscoveryEvents],
  },
  {
    provide: DiscoveryService,
    useFactory: (catalog: ServiceCatalog, caller: ServiceCaller) => new DiscoveryService(catalog, caller),
    inject: [ServiceCatalog, ServiceCaller],
  },
  { provide: APP_INTERCEPTOR, useFactory: () => new DeadlineInterceptor(systemClock) },
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
      new HealthService(terminus, contributors, {
        clock: systemClock,
        timeoutMs: toMilliseconds(health?.timeout ?? '4s', 'health.timeout'),
        cacheMs: toMilliseconds(health?.cache ?? '1s', 'health.cache'),
      }),
    inject: [DISCOVERY_MODULE_OPTIONS, HealthCheckService, HealthContributors],
  },
  {
    provide: AppServers,
    useFactory: (host: HttpAdapterHost<AbstractHttpAdapter<Server>>, modules: ModulesContainer) =>
      new AppServers(host, modules, systemClock),
    inject: [HttpAdapterHost, ModulesContainer],
  },
  {
    provide: RegistrationService,
    useFactory: (
      options: DiscoveryModuleOptions,
      servers: AppServers,
      health: HealthService,
      reachability: Reachability,
      events: DiscoveryEvents,
    ) =>
      new RegistrationService(options.registry, servers, health, {
        ...registrationOptions(options, process.env),
        clock: systemClock,
        random: Math.random,
        reachability,
        events,
      }),
    inject: [DISCOVERY_MODULE_OPTIONS, AppServers, HealthService, Reachability, DiscoveryEvents],
  },
  {
    provide: RegistryHealthIndicator,
    useFactory: (registry: ServiceRegistry, registration: RegistrationService, catalog: ServiceCatalog) =>
      new RegistryHealthIndicator(registry, registration, catalog),
    inject: [ServiceRegistry, RegistrationService, ServiceCatalog],
  },
  {
    provide: ServiceHealthIndicator,
    useFactory: (catalog: ServiceCatalog) => new ServiceHealthIndicator(catalog),
    inject: [ServiceCatalog],
  },
];
