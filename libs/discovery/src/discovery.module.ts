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
} from '@nestjs/common';
import {
  ApplicationConfig,
  DiscoveryModule as ProviderScannerModule,
  HttpAdapterHost,
  ModulesContainer,
  type AbstractHttpAdapter,
} from '@nestjs/core';
import { TerminusModule } from '@nestjs/terminus';
import { withCalls } from './calling/call-explanation.js';
import { ServiceCaller } from './calling/service-caller.js';
import type { ServiceExplanation } from './catalog/explanation.js';
import { ServiceCatalog } from './catalog/service-catalog.js';
import { coreProviders, DISCOVERY_MODULE_OPTIONS, RESOLVED_OPTIONS } from './core-providers.js';
import type { DiscoveryModuleOptions } from './discovery-options.js';
import { DiscoveryService } from './discovery.service.js';
import { DiscoveryError } from './errors/discovery-error.js';
import { DiscoveryEvents } from './events/discovery-events.js';
import { EventBindings } from './events/event-bindings.js';
import { bridgeToEventEmitter } from './events/event-emitter-bridge.js';
import { EventLog } from './events/event-log.js';
import { HealthContributors } from './health/health-contributors.js';
import { AppRoutes } from './health/app-routes.js';
import { isHealthRequest } from './health/health-path.js';
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
import { AppInspector } from './introspection/app-inspector.js';
import { DiscoverySections } from './introspection/discovery-sections.js';
import { CallReceiver } from './receiving/call-receiver.js';
import { LoadReporter } from './receiving/load/load-reporter.js';
import { receiveCall, type Shedding } from './receiving/receive-call.js';
import { LoadShedder } from './receiving/shedding/load-shedder.js';
import { AppServers } from './registration/location/app-servers.js';
import { RegistrationService } from './registration/registration.service.js';
import { ServiceRegistry } from './registry/service-registry.js';
import { systemClock } from './timing/clock.js';
import { noteCopy } from './configuration/loaded-copies.js';
import type { ResolvedDiscoveryOptions } from './resolve-options.js';
import { Telemetry } from './telemetry/telemetry.js';

export interface DiscoveryModuleAsyncOptions {
  imports?: ModuleMetadata['imports'];
  inject?: FactoryProvider['inject'];
  // The arguments are what `inject` names; Nest types them the same way.
  useFactory: (...args: never[]) => DiscoveryModuleOptions | Promise<DiscoveryModuleOptions>;
}

const HEALTH_CURE =
  'Set health.path to have both; a method with @HealthContributor() adds to the health of this module';
const ENDPOINT_CURE = 'Set discovery.endpoint.path to have both';

/** The core on any registry. Applications import the module of their registry, such as `ConsulModule`, instead. */
@Module({})
export class DiscoveryModule implements NestModule, OnModuleInit, OnApplicationShutdown {
  readonly #logger = new Logger(DiscoveryModule.name);
  #loadHealth: LoadHealth | undefined;
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
    private readonly events: DiscoveryEvents,
    private readonly log: EventLog,
    private readonly bindings: EventBindings,
    private readonly telemetry: Telemetry,
    private readonly receiver: CallReceiver,
    private readonly load: LoadReporter,
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
        AppInspector,
        CallReceiver,
        LoadReporter,
        AppServers,
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
    const { catalog, caller, registration } = this;
    this.telemetry.observe({ catalog, caller, registration });
    this.bindings.bind();
    const bridge = bridgeToEventEmitter(this.events, this.modules);
    this.#undo.push(
      () => this.telemetry.close(),
      () => this.bindings.close(),
      () => bridge?.unsubscribe(),
      () => this.log.close(),
    );
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
    const { health, endpoint } = this.options;
    if (health.degradedAbove) {
      this.#loadHealth = new LoadHealth(health.degradedAbove);
      this.contributors.add(this.#loadHealth);
    }
    const groups = this.contributors.customGroups();
    // Null in an application context, against its type.
    const adapter = this.host.httpAdapter as AbstractHttpAdapter | null;
    if (!adapter) return;
    adapter.use(receiveCall(this.receiver, this.#shedding()));
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

  #shedding(): Shedding | undefined {
    const { shedding, health, endpoint } = this.options;
    if (!shedding) return undefined;
    const shedder = new LoadShedder({
      ...{ clock: systemClock, concurrency: shedding.concurrency, afterTurn: setImmediate },
      onBegin: (limit) => this.events.emit({ type: 'shedding.started', limit }),
      onEnd: (refused) => this.events.emit({ type: 'shedding.ended', refused }),
    });
    this.#undo.push(() => shedder.close());
    // The registry asks the one, and those that look what is wrong the other.
    const exempt = [health.path, endpoint.path];
    return {
      retryAfterSeconds: shedding.retryAfterSeconds,
      admit: (request, timeoutMs) =>
        exempt.some((path) => isHealthRequest(request, path))
          ? () => undefined
          : shedder.admit(shedding.urgency(request), timeoutMs),
    };
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
    this.#loadHealth?.close();
    this.load.close();
    for (const undo of this.#undo.splice(0).reverse()) undo();
    this.caller.close();
    await this.catalog.close();
    // Those that are sources, too, are closed with the catalog.
    const { alsoRegister, lookup } = this.options;
    const others = alsoRegister.filter((each) => !lookup.sources.includes(each));
    const registries = [this.registry, ...others].map((registry) => registry.close());
    await Promise.all([this.connections.close(), ...registries]);
  }
}
