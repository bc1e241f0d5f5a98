import type { Server } from 'node:http';
import { Logger, type Provider } from '@nestjs/common';
import {
  APP_INTERCEPTOR,
  ApplicationConfig,
  DiscoveryService as ProviderScanner,
  HttpAdapterHost,
  ModulesContainer,
  type AbstractHttpAdapter,
} from '@nestjs/core';
import { HealthCheckService } from '@nestjs/terminus';
import { callerZones } from './calling/caller-zones.js';
import { ServiceCaller } from './calling/service-caller.js';
import { ServiceCatalog } from './catalog/service-catalog.js';
import { SnapshotStore } from './catalog/snapshot-store.js';
import type { DiscoveryModuleOptions } from './discovery-options.js';
import { connectDiscovery } from './discovery-tools.js';
import { DiscoveryService } from './discovery.service.js';
import { DiscoveryEvents } from './events/discovery-events.js';
import { EventBindings } from './events/event-bindings.js';
import { EventLog } from './events/event-log.js';
import { HealthContributors } from './health/health-contributors.js';
import { HealthService } from './health/health.service.js';
import { askLoad } from './http/ask-load.js';
import { HttpConnections } from './http/http-connections.js';
import { ServiceClientFactory } from './http/service-client.factory.js';
import { RegistryHealthIndicator } from './indicators/registry.health-indicator.js';
import { ServiceHealthIndicator } from './indicators/service.health-indicator.js';
import { AppInspector } from './introspection/app-inspector.js';
import { DiscoverySections } from './introspection/discovery-sections.js';
import { CallReceiver } from './receiving/call-receiver.js';
import { DeadlineInterceptor } from './receiving/deadline.interceptor.js';
import { LoadReporter } from './receiving/load/load-reporter.js';
import { AppServers } from './registration/location/app-servers.js';
import { isRestartedOnChange } from './registration/shutdown/restart-on-change.js';
import { RegistrationService } from './registration/registration.service.js';
import { probeInstance } from './registry/instance-probe.js';
import { ReconnectSignal } from './registry/reconnect-signal.js';
import { RegistryReachability } from './registry/registry-reachability.js';
import { ServiceRegistry } from './registry/service-registry.js';
import { resolveDiscoveryOptions, type ResolvedDiscoveryOptions } from './resolve-options.js';
import { Telemetry } from './telemetry/telemetry.js';
import { systemClock } from './timing/clock.js';

export const DISCOVERY_MODULE_OPTIONS = Symbol.for('rookery:discovery-module-options');
export const RESOLVED_OPTIONS = Symbol.for('rookery:resolved-discovery-options');

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

export const coreProviders: Provider[] = [
  DiscoverySections,
  HealthContributors,
  ReconnectSignal,
  {
    provide: DiscoveryEvents,
    useFactory: ({ events }: ResolvedDiscoveryOptions) => new DiscoveryEvents(events.history),
    inject: [RESOLVED_OPTIONS],
  },
  {
    provide: AppInspector,
    useFactory: (catalog: ServiceCatalog, caller: ServiceCaller) => new AppInspector(catalog, caller),
    inject: [ServiceCatalog, ServiceCaller],
  },
  {
    provide: EventLog,
    useFactory: ({ events: options }: ResolvedDiscoveryOptions, events: DiscoveryEvents) => {
      const log = new EventLog({ ...options, clock: systemClock });
      if (options.log) events.events$.subscribe((event) => log.write(event));
      return log;
    },
    inject: [RESOLVED_OPTIONS, DiscoveryEvents],
  },
  {
    provide: Telemetry,
    useFactory: (
      { telemetry: settings }: ResolvedDiscoveryOptions,
      events: DiscoveryEvents,
      registry: ServiceRegistry,
    ) => {
      const telemetry = new Telemetry(systemClock, settings);
      telemetry.count({ events, registry });
      return telemetry;
    },
    inject: [RESOLVED_OPTIONS, DiscoveryEvents, ServiceRegistry],
  },
  {
    provide: EventBindings,
    useFactory: (events: DiscoveryEvents, scanner: ProviderScanner) => new EventBindings(events, scanner),
    inject: [DiscoveryEvents, ProviderScanner],
  },
  {
    provide: RegistryReachability,
    useFactory: (events: DiscoveryEvents, registry: ServiceRegistry) => {
      // The registry is closed with the app, and its listeners with it.
      registry.onSwitch((change) => events.emit({ type: 'registry.switched', ...change }));
      return new RegistryReachability(systemClock, {
        onUnreachable: (reason) => events.emit({ type: 'registry.unreachable', reason }),
        onReachable: (afterMs) => events.emit({ type: 'registry.reachable', afterMs }),
      });
    },
    inject: [DiscoveryEvents, ServiceRegistry],
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
      telemetry: Telemetry,
    ) => {
      return new ServiceCaller(catalog, {
        clock: systemClock,
        random: Math.random,
        clients,
        ...callerZones(catalog, services[0], callerZone),
        probe: probeInstance,
        emit: (event) => events.emit(event),
        onUnused: (instance) => connections.release(instance),
        askLoad: (instance, settings) => askLoad(connections, instance, settings),
        ...(telemetry.observer ? { observer: telemetry.observer } : {}),
      });
    },
    inject: [RESOLVED_OPTIONS, ServiceCatalog, HttpConnections, DiscoveryEvents, Telemetry],
  },
  {
    provide: DiscoveryService,
    useFactory: (
      catalog: ServiceCatalog,
      caller: ServiceCaller,
      connections: HttpConnections,
      { mesh }: DiscoveryModuleOptions,
    ) => {
      const discovery = new DiscoveryService(catalog, caller);
      connectDiscovery(discovery, { caller, catalog, connections, mesh });
      return discovery;
    },
    inject: [ServiceCatalog, ServiceCaller, HttpConnections, DISCOVERY_MODULE_OPTIONS],
  },
  { provide: APP_INTERCEPTOR, useFactory: () => new DeadlineInterceptor(systemClock) },
  {
    provide: HttpConnections,
    useFactory: ({ mesh }: DiscoveryModuleOptions) => new HttpConnections(mesh),
    inject: [DISCOVERY_MODULE_OPTIONS],
  },
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
      events: DiscoveryEvents,
    ) =>
      new HealthService(terminus, contributors, {
        clock: systemClock,
        timeoutMs: health.timeoutMs,
        cacheMs: health.cacheMs,
        onChange: (change) => events.emit({ type: 'health.changed', ...change }),
      }),
    inject: [RESOLVED_OPTIONS, HealthCheckService, HealthContributors, DiscoveryEvents],
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
      { services, alsoRegister, startup, shutdown, environment, health }: ResolvedDiscoveryOptions,
      registry: ServiceRegistry,
      servers: AppServers,
      healthService: HealthService,
      reconnectSignal: ReconnectSignal,
      events: DiscoveryEvents,
      config: ApplicationConfig,
      reachability: RegistryReachability,
      log: EventLog,
      { mesh }: DiscoveryModuleOptions,
    ) =>
      new RegistrationService(registry, servers, healthService, {
        services,
        alsoRegister,
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
        onLeaving: () => log.leave(),
        mesh,
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
      EventLog,
      DISCOVERY_MODULE_OPTIONS,
    ],
  },
  { provide: LoadReporter, useFactory: () => new LoadReporter({ clock: systemClock }) },
  {
    provide: CallReceiver,
    useFactory: (
      { services, context, loadReports }: ResolvedDiscoveryOptions,
      registration: RegistrationService,
      load: LoadReporter,
    ) =>
      new CallReceiver({
        names: services.map(({ name }) => name),
        isAdvertised: (address) => registration.isAdvertised(address),
        clock: systemClock,
        context,
        load,
        loadReports,
      }),
    inject: [RESOLVED_OPTIONS, RegistrationService, LoadReporter],
  },
  {
    provide: RegistryHealthIndicator,
    useFactory: (
      registry: ServiceRegistry,
      registration: RegistrationService,
      catalog: ServiceCatalog,
      { health }: ResolvedDiscoveryOptions,
    ) => new RegistryHealthIndicator(registry, registration, catalog, health.timeoutMs / 2),
    inject: [ServiceRegistry, RegistrationService, ServiceCatalog, RESOLVED_OPTIONS],
  },
  {
    provide: ServiceHealthIndicator,
    useFactory: (catalog: ServiceCatalog, { health }: ResolvedDiscoveryOptions) =>
      new ServiceHealthIndicator(catalog, systemClock, health.timeoutMs / 2),
    inject: [ServiceCatalog, RESOLVED_OPTIONS],
  },
];
