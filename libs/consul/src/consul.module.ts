import { Global, Module, type DynamicModule, type OnModuleDestroy, type Provider } from '@nestjs/common';
import { RegistrationService } from '@rookery/discovery';
import {
  asyncOptionsProviders,
  DiscoveryModule,
  type DiscoveryModuleOptions,
  LiveConfigModule,
} from '@rookery/discovery/adapter';
import { shareConnections } from './client/connection-budget.js';
import { ConsulClient } from './client/consul-client.js';
import { ConnectModule } from './connect/connect.module.js';
import { ConsulConnect } from './connect/consul-connect.js';
import { ConsulCoordinationModule } from './coordination/consul-coordination.module.js';
import {
  resolveConsulOptions,
  type ConsulModuleAsyncOptions,
  type ConsulModuleOptions,
  type ConsulOptionsFactory,
  type ResolvedConsulOptions,
} from './consul-module-options.js';
import { ConsulKv } from './kv/consul-kv.js';
import { ConsulRegistry } from './registry/consul.registry.js';
import { workerReporterSource } from './registry/worker-reporter.js';

const CONSUL_OPTIONS = Symbol.for('rookery:consul-options');

/** The adapter: a client, and the registry on it. Global, so that `ConsulClient` can be injected anywhere. */
@Global()
@Module({})
class ConsulRegistryModule {}

/**
 * Registers this app with Consul, mounts its health endpoints, and provides `DiscoveryService`, `RegistrationService`,
 * `ConsulClient` and every `@ServiceClient`. Import it once, in the root module.
 *
 * @example
 * ```ts
 * @Module({ imports: [ConsulModule.forRoot({ service: { name: 'inventory' } })] })
 * export class AppModule {}
 * ```
 */
@Module({})
export class ConsulModule implements OnModuleDestroy {
  constructor(private readonly registration: RegistrationService) {}

  /** Nest destroys global modules last; this one is next to the root, so that the app leaves the registry as early as possible. */
  async onModuleDestroy(): Promise<void> {
    await this.registration.onModuleDestroy();
  }

  /**
   * @throws DiscoveryError `RK_CONFIG_INVALID` when the app is created, with every wrong option, its value and a hint
   */
  static forRoot(options: ConsulModuleOptions = {}): DynamicModule {
    // A closure instead of a value, so that printing the module's metadata does not print the token.
    return assemble([{ provide: CONSUL_OPTIONS, useFactory: () => resolveConsulOptions(options) }]);
  }

  /**
   * Options that depend on other providers.
   *
   * @example
   * ```ts
   * ConsulModule.forRootAsync({
   *   inject: [ConfigService],
   *   useFactory: (config: ConfigService) => ({ service: { name: config.getOrThrow('SERVICE_NAME') } }),
   * });
   * ```
   */
  static forRootAsync(options: ConsulModuleAsyncOptions): DynamicModule {
    const providers = asyncOptionsProviders(options, {
      moduleName: ConsulModule.name,
      token: CONSUL_OPTIONS,
      resolve: (given: ConsulModuleOptions) => resolveConsulOptions(given),
      create: (factory: ConsulOptionsFactory) => factory.createConsulOptions(),
    });
    return assemble(providers, options.imports);
  }
}

function assemble(optionProviders: Provider[], imports: DynamicModule['imports'] = []): DynamicModule {
  const registryModule: DynamicModule = {
    module: ConsulRegistryModule,
    imports,
    providers: [
      ...optionProviders,
      {
        provide: ConsulClient,
        useFactory: ({ resolvedAgent, connectSettings: connect }: ResolvedConsulOptions) =>
          new ConsulClient(
            resolvedAgent,
            shareConnections(resolvedAgent.maxConnections, { isNative: connect !== undefined }),
          ),
        inject: [CONSUL_OPTIONS],
      },
      {
        provide: ConsulKv,
        useFactory: (client: ConsulClient) => new ConsulKv(client),
        inject: [ConsulClient],
      },
      {
        provide: ConsulConnect,
        useFactory: (client: ConsulClient, { connectSettings: connect, health }: ResolvedConsulOptions) =>
          connect && new ConsulConnect(client, { ...connect, healthPath: health?.path ?? '/health' }),
        inject: [ConsulClient, CONSUL_OPTIONS],
      },
      {
        provide: ConsulRegistry,
        useFactory: (
          client: ConsulClient,
          { resolvedAgent, connectSettings: connect }: ResolvedConsulOptions,
        ) =>
          new ConsulRegistry(client, {
            forWorker: () => workerReporterSource(resolvedAgent),
            isNative: connect !== undefined,
          }),
        inject: [ConsulClient, CONSUL_OPTIONS],
      },
    ],
    exports: [CONSUL_OPTIONS, ConsulClient, ConsulKv, ConsulRegistry, ConsulConnect],
  };
  const discovery = DiscoveryModule.forRootAsync({
    imports: [registryModule],
    inject: [CONSUL_OPTIONS, ConsulRegistry, ConsulConnect],
    useFactory: (
      { resolvedAgent: _, locks: __, connectSettings: ___, ...options }: ResolvedConsulOptions,
      registry: ConsulRegistry,
      mesh: ConsulConnect | undefined,
    ): DiscoveryModuleOptions => ({ ...options, registry, mesh, moduleName: ConsulModule.name }),
  });
  return {
    module: ConsulModule,
    imports: [
      registryModule,
      discovery,
      LiveConfigModule,
      ConnectModule,
      ConsulCoordinationModule.on(CONSUL_OPTIONS),
    ],
    exports: [registryModule, discovery],
  };
}
