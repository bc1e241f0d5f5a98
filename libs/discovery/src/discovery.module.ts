import type { Server } from 'node:http';
import { HttpService } from '@nestjs/axios';
import {
  Inject,
  Logger,
  Module,
  type DynamicModule,
  type FactoryProvider,
  type ModuleMetadata,
  type NestModule,
  type OnApplicationShutdown,
  type OnModuleInit,
  type Provider,
} from '@nestjs/common';
import {
  APP_INTERCEPTOR,
  ApplicationConfig,
  DiscoveryModule as ProviderScannerModule,
  HttpAdapterHost,
  ModulesContainer,
  type AbstractHttpAdapter,
} from '@nestjs/core';
import { HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { withCalls } from './calling/call-explanation.js';
import { callerZones } from './calling/caller-zones.js';
import { ServiceCaller } from './calling/service-caller.js';
import type { ServiceExplanation } from './catalog/explanation.js';
import { ServiceCatalog } from './catalog/service-catalog.js';
import { SnapshotStore } from './catalog/snapshot-store.js';
import type { DiscoveryOptions } from './discovery-options.js';
import { connectDiscovery } from './discovery-tools.js';
import { DiscoveryService } from './discovery.service.js';
import { DiscoveryError } from './errors/discovery-error.js';
import { DiscoveryEvents } from './events/discovery-events.js';
import { logEvent } from './events/event-logger.js';
import { HealthContributors } from './health/health-contributors.js';
import { AppRoutes } from './health/app-routes.js';
import { mountHealthRoutes } from './health/health-routes.js';
import { HealthService } from './health/health.service.js';
import { LoadHealth } from './health/load.health.js';
import { HttpConnections } from './http/http-connections.js';
import { ServiceClientFactory } from './http/service-client.factory.js';
import { DeclaredClientsModule } from './http/declared-clients.module.js';
import { ServiceHttpService } from './http/service-http.service.js';
import { teachServiceUrls } from './http/service-urls.js';
import { RegistryHealthIndicator } from './indicators/registry.health-indicator.js';
import { ServiceHealthIndicator } from './indicators/service.health-indicator.js';
import { mountDiscoveryRoutes } from './introspection/discovery-routes.js';
import { DiscoverySections } from './introspection/discovery-sections.js';
import { DeadlineInterceptor } from './receiving/deadline.interceptor.js';
import { receiveCall } from './receiving/receive-call.js';
import { AppServers } from './registration/location/app-servers.js';
import { isRestartedOnChange } from './registration/shutdown/restart-on-change.js';
import { RegistrationService } from './registration/registration.service.js';
import { probeInstance } from './registry/instance-probe.js';
import { ReconnectSignal } from './registry/reconnect-signal.js';
import { RegistryReachability } from './registry/registry-reachability.js';
import { ServiceRegistry } from './registry/service-registry.js';
import { noteCopy } from './configuration/loaded-copies.js';
import { resolveDiscoveryOptions, type ResolvedDiscoveryOptions } from './resolve-options.js';
import { systemClock } from './timing/clock.js';

/** Validated options, and the registry that the core runs on. */
export interface DiscoveryModuleOptions extends DiscoveryOptions {
  readonly registry: ServiceRegistry;
  /** The module that the application imports, for messages. Default: `DiscoveryModule`. */
  readonly moduleName?: string;
}

export interface DiscoveryModuleAsyncOptions {
  imports?: ModuleMetadata['imports'];
  inject?: FactoryProvider['inject'];
  // The arguments are what `inject` names; Nest types them the same way.
  useFactory: (...args: never[]) => DiscoveryModuleOptions | Promise<DiscoveryModuleOptions>;
}

const HEALTH_CURE =
  'Set health.path to have both; a method with @HealthContributor() adds to the health of this module';
const ENDPOINT_CURE = 'Set discovery.endpoint.path to have both';
const DISCOVERY_MODULE_OPTIONS = Symbol.for('rookery:discovery-module-options');
const RESOLVED_OPTIONS = Symbol.for('rookery:resolved-discovery-options');

/** The core on any registry. Applications import the module of their registry, such as `ConsulModule`, instead. */
@Module({})
export class DiscoveryModule implements NestModule, OnModuleInit, OnApplicationShutdown {
  readonly #logger = new Logger(DiscoveryModule.name);
  #load: LoadHealth | undefined;
  readonly #undo: (() => void)[] = [];

  constructor(
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedDiscoveryOptions,
    private readonly host: HttpAdapterHost,
    private readonly registry: ServiceRegistry,
    private readonly registration: RegistrationService,
    private readonly health: HealthService,
    private readonly contributors: HealthContributors,
    private readonly catalog: ServiceCatalog,
    private readonly caller: ServiceCaller,
    private readonly connections: HttpConnections,
    private readonly modules: ModulesContainer,
    private readonly config: ApplicationConfig,
    private readonly sections: DiscoverySections,
  ) {}

  static forRootAsync(options: DiscoveryModuleAsyncOptions): DynamicModule {
    noteCopy();
    // A module instance of our own: Consul runs the check every few seconds, and Terminus would log each failure.
    const terminus = TerminusModule.forRoot({ logger: false });
    return {
      module: DiscoveryModule,
      global: true,
      imports: [...(options.imports ?? []), ProviderScannerModule, DeclaredClientsModule, terminus],
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
        HealthContributors,
        DiscoveryEvents,
        DiscoverySections,
        RegistryHealthIndicator,
        ServiceHealthIndicator,
        ServiceClientFactory,
        terminus, // for HealthIndicatorService, which every health contributor needs
      ],
    };
  }

  onModuleInit(): void {
    for (const http of this.#plainHttpServices())
      this.#undo.push(teachServiceUrls(http, this.caller, this.connections));
    const imported = [...this.modules.values()].filter(({ metatype }) => metatype === DiscoveryModule);
    if (imported.length < 2) return;
    throw new DiscoveryError(
      'RK_CONFIG_INVALID',
      `${this.options.moduleName} is imported ${imported.length} times: the app would be registered by each of them`,
      { hint: 'Call forRoot or forRootAsync once, in the root module; the module is global' },
    );
  }

  /** Those of `HttpModule`, in all modules that import it. */
  #plainHttpServices(): HttpService[] {
    const providers = [...this.modules.values()].flatMap(({ providers: own }) => [...own.values()]);
    return providers.flatMap((wrapper) => {
      const instance: unknown = wrapper.isDependencyTreeStatic() ? wrapper.instance : undefined;
      if (!(instance instanceof HttpService) || instance instanceof ServiceHttpService) return [];
      // One that was never created has no axios.
      return typeof (instance.axiosRef as unknown) === 'function' ? [instance] : [];
    });
  }

  /** Runs before the app's controllers are routed, so that a catch-all route cannot shadow the health path. */
  configure(): void {
    const { health, endpoint, services, context } = this.options;
    if (health.degradedAbove) {
      this.#load = new LoadHealth(health.degradedAbove);
      this.contributors.add(this.#load);
    }
    const groups = this.contributors.customGroups();
    // Null in an application context, against its type.
    const adapter = this.host.httpAdapter as AbstractHttpAdapter | null;
    if (!adapter) return;
    adapter.use(
      receiveCall({
        names: services.map(({ name }) => name),
        isAdvertised: (address) => this.registration.isAdvertised(address),
        clock: systemClock,
        context,
      }),
    );
    const routes = new AppRoutes(this.modules, this.config);
    const { path, exposure } = health;
    const isTaken = (at: string): boolean => this.#isTaken(at, routes.find(at), HEALTH_CURE);
    mountHealthRoutes(adapter, { path, exposure, groups, isTaken }, this.health);
    if (endpoint.exposure === 'none') return;
    if (this.#isTaken(endpoint.path, routes.find(endpoint.path), ENDPOINT_CURE)) return;
    const explainAll = (): readonly ServiceExplanation[] =>
      this.catalog.explainAll().map((explanation) => withCalls(explanation, this.caller));
    mountDiscoveryRoutes(adapter, endpoint, explainAll, this.sections);
  }

  /** Express would shadow the app's route silently, and Fastify would refuse to start. */
  #isTaken(path: string, route: string | undefined, cure: string): boolean {
    if (route === undefined) return false;
    this.#logger.warn(
      `GET ${path} is a route of the app, ${route}: it is used, and this module mounts none there. ${cure}`,
    );
    return true;
  }

  async onApplicationShutdown(): Promise<void> {
    this.#load?.close();
    for (const undo of this.#undo.splice(0).reverse()) undo();
    this.caller.close();
    await this.catalog.close();
    await Promise.all([this.connections.close(), this.registry.close()]);
  }
}

/** Nest keeps a global prefix as it was set: `api` and `/api` are the same. */
function withSlash(prefix: string): string {
  const path = prefix.replace(/^\/+|\/+$/g, '');
  return path === '' ? '' : `/${path}`;
}

function openStore(directory: string, logger: Logger, events: DiscoveryEvents): SnapshotStore {
  return new SnapshotStore({
    directory,
    clock: systemClock,
    onFailure: (file, reason) => {
      logger.warn(`snapshot ${file}: ${reason}`);
      events.emit({ type: 'snapshot.failed', file, reason });
    },
  });
}

const coreProviders: Provider[] = [
  DiscoveryEvents,
  DiscoverySections,
  HealthContributors,
  ReconnectSignal,
  {
    provide: RegistryReachability,
    useFactory: (events: DiscoveryEvents) =>
      new RegistryReachability(systemClock, {
        onUnreachable: (reason) => events.emit({ type: 'registry.unreachable', reason }),
        onReachable: (afterMs) => events.emit({ type: 'registry.reachable', afterMs }),
      }),
    inject: [DiscoveryEvents],
  },
  {
    provide: RESOLVED_OPTIONS,
    useFactory: (options: DiscoveryModuleOptions) =>
      resolveDiscoveryOptions(options, process.env, isRestartedOnChange(process.env)),
    inject: [DISCOVERY_MODULE_OPTIONS],
  },
  {
    provide: ServiceRegistry,
    useFactory: ({ registry }: DiscoveryModuleOptions) => registry,
    inject: [DISCOVERY_MODULE_OPTIONS],
  },
  {
    provide: ServiceCatalog,
    useFactory: (
      { lookup }: ResolvedDiscoveryOptions,
      registry: ServiceRegistry,
      reconnectSignal: ReconnectSignal,
      events: DiscoveryEvents,
      reachability: RegistryReachability,
    ) => {
      const { snapshotDirectory, ...options } = lookup;
      const logger = new Logger(ServiceCatalog.name);
      return new ServiceCatalog(registry, {
        ...options,
        clock: systemClock,
        random: Math.random,
        logger,
        reconnectSignal,
        reachability,
        probe: probeInstance,
        emit: (event) => events.emit(event),
        store: snapshotDirectory === undefined ? undefined : openStore(snapshotDirectory, logger, events),
      });
    },
    inject: [RESOLVED_OPTIONS, ServiceRegistry, ReconnectSignal, DiscoveryEvents, RegistryReachability],
  },
  {
    provide: ServiceCaller,
    useFactory: (
      { services, clients, callerZone }: ResolvedDiscoveryOptions,
      catalog: ServiceCatalog,
      connections: HttpConnections,
      events: DiscoveryEvents,
    ) => {
      const logger = new Logger(ServiceCaller.name);
      return new ServiceCaller(catalog, {
        clock: systemClock,
        random: Math.random,
        clients,
        ...callerZones(catalog, services[0], callerZone),
        probe: probeInstance,
        emit: (event) => {
          logEvent(event, logger);
          events.emit(event);
        },
        onUnused: (instance) => connections.release(instance),
      });
    },
    inject: [RESOLVED_OPTIONS, ServiceCatalog, HttpConnections, DiscoveryEvents],
  },
  {
    provide: DiscoveryService,
    useFactory: (catalog: ServiceCatalog, caller: ServiceCaller, connections: HttpConnections) => {
      const discovery = new DiscoveryService(catalog, caller);
      connectDiscovery(discovery, { caller, connections });
      return discovery;
    },
    inject: [ServiceCatalog, ServiceCaller, HttpConnections],
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
      { health }: ResolvedDiscoveryOptions,
      terminus: HealthCheckService,
      contributors: HealthContributors,
    ) =>
      new HealthService(terminus, contributors, {
        clock: systemClock,
        timeoutMs: health.timeoutMs,
        cacheMs: health.cacheMs,
      }),
    inject: [RESOLVED_OPTIONS, HealthCheckService, HealthContributors],
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
      { services, startup, shutdown, environment, health }: ResolvedDiscoveryOptions,
      registry: ServiceRegistry,
      servers: AppServers,
      healthService: HealthService,
      reconnectSignal: ReconnectSignal,
      events: DiscoveryEvents,
      config: ApplicationConfig,
      reachability: RegistryReachability,
      catalog: ServiceCatalog,
    ) =>
      new RegistrationService(registry, servers, healthService, {
        services,
        startup,
        shutdown,
        environment,
        healthPath: health.path,
        globalPrefix: () => withSlash(config.getGlobalPrefix()),
        clock: systemClock,
        random: Math.random,
        reconnectSignal,
        reachability,
        events,
        onLeaving: () => catalog.leave(),
      }),
    inject: [
      RESOLVED_OPTIONS,
      ServiceRegistry,
      AppServers,
      HealthService,
      ReconnectSignal,
      DiscoveryEvents,
      ApplicationConfig,
      RegistryReachability,
      ServiceCatalog,
    ],
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
