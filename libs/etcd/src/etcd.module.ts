import { Global, Module, type DynamicModule, type OnModuleDestroy, type Provider } from '@nestjs/common';
import { RegistrationService } from '@rookery/discovery';
import {
  asyncOptionsProviders,
  type Coordination,
  CoordinationModule,
  DiscoveryModule,
  type DiscoveryModuleOptions,
  LiveConfigModule,
  SharedWatches,
  systemClock,
} from '@rookery/discovery/adapter';
import { EtcdClient } from './client/etcd-client.js';
import { EtcdCoordinationStore } from './coordination/etcd-coordination.store.js';
import {
  resolveEtcdOptions,
  type EtcdModuleAsyncOptions,
  type EtcdModuleOptions,
  type EtcdOptionsFactory,
  type ResolvedEtcdOptions,
} from './etcd-module-options.js';
import { EtcdRegistry } from './registry/etcd.registry.js';

const ETCD_OPTIONS = Symbol.for('rookery:etcd-options');

/** The adapter: a client, and the registry on it. Global, so that `EtcdClient` can be injected anywhere. */
@Global()
@Module({})
class EtcdRegistryModule {}

/**
 * Registers this app with etcd, mounts its health endpoints, and provides `DiscoveryService`, `RegistrationService`, `EtcdClient` and every
 * `@ServiceClient`. Import it once, in the root module.
 *
 * @example
 * ```ts
 * @Module({ imports: [EtcdModule.forRoot({ service: { name: 'inventory' } })] })
 * export class AppModule {}
 * ```
 */
@Module({})
export class EtcdModule implements OnModuleDestroy {
  constructor(private readonly registration: RegistrationService) {}

  /** Nest destroys global modules last; this one is next to the root, so that the app leaves the registry as early as possible. */
  async onModuleDestroy(): Promise<void> {
    await this.registration.onModuleDestroy();
  }

  /**
   * @throws DiscoveryError `RK_CONFIG_INVALID` when the app is created, with every wrong option, its value and a hint
   */
  static forRoot(options: EtcdModuleOptions = {}): DynamicModule {
    // A closure instead of a value, so that printing the module's metadata does not print the password.
    return assemble([{ provide: ETCD_OPTIONS, useFactory: () => resolveEtcdOptions(options) }]);
  }

  /**
   * Options that depend on other providers.
   *
   * @example
   * ```ts
   * EtcdModule.forRootAsync({
   *   inject: [ConfigService],
   *   useFactory: (config: ConfigService) => ({ service: { name: config.getOrThrow('SERVICE_NAME') } }),
   * });
   * ```
   */
  static forRootAsync(options: EtcdModuleAsyncOptions): DynamicModule {
    const providers = asyncOptionsProviders(options, {
      moduleName: EtcdModule.name,
      token: ETCD_OPTIONS,
      resolve: (given: EtcdModuleOptions) => resolveEtcdOptions(given),
      create: (factory: EtcdOptionsFactory) => factory.createEtcdOptions(),
    });
    return assemble(providers, options.imports);
  }
}

function assemble(optionProviders: Provider[], imports: DynamicModule['imports'] = []): DynamicModule {
  const registryModule: DynamicModule = {
    module: EtcdRegistryModule,
    imports,
    providers: [
      ...optionProviders,
      {
        provide: EtcdClient,
        useFactory: ({ etcd }: ResolvedEtcdOptions) => new EtcdClient(etcd),
        inject: [ETCD_OPTIONS],
      },
      {
        provide: EtcdRegistry,
        useFactory: (client: EtcdClient, { registry }: ResolvedEtcdOptions) =>
          new EtcdRegistry(client, registry),
        inject: [EtcdClient, ETCD_OPTIONS],
      },
    ],
    exports: [ETCD_OPTIONS, EtcdClient, EtcdRegistry],
  };
  const discovery = DiscoveryModule.forRootAsync({
    imports: [registryModule],
    inject: [ETCD_OPTIONS, EtcdRegistry],
    useFactory: (options: ResolvedEtcdOptions, registry: EtcdRegistry): DiscoveryModuleOptions => ({
      ...options.discovery,
      registry,
      moduleName: EtcdModule.name,
    }),
  });
  const coordination = CoordinationModule.on({
    inject: [EtcdClient, ETCD_OPTIONS],
    useFactory: coordinationOn,
  });
  return {
    module: EtcdModule,
    imports: [registryModule, discovery, LiveConfigModule, coordination],
    exports: [registryModule, discovery],
  };
}

function coordinationOn(client: EtcdClient, { locks }: ResolvedEtcdOptions): Coordination {
  const watches = new SharedWatches({ clock: systemClock, random: Math.random, logger: 'LockService' });
  const store = new EtcdCoordinationStore({ client, watches, ttlMs: locks.ttlMs });
  return { store, options: locks, endsWithRegistration: false };
}
