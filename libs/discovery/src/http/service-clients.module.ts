import { Module, type DynamicModule, type FactoryProvider } from '@nestjs/common';
import { assertServiceClient, clientProviders } from './client-provider.js';
import type { ServiceClientOptions } from './service-client.options.js';

/** A service, or a service with the options of its client. */
export type ServiceClientFeature = string | ({ readonly service: string } & ServiceClientOptions);

/**
 * Provides clients by name, where there is no decorator: for factories, and in modules that are loaded later. Beside
 * `@ServiceClient`, which needs no import.
 *
 * @example
 * ```ts
 * @Module({
 *   imports: [ServiceClientsModule.forFeature(['inventory', { service: 'search', timeout: '2s' }])],
 *   providers: [
 *     {
 *       provide: Catalog,
 *       useFactory: (inventory: HttpService) => new Catalog(inventory),
 *       inject: [getServiceClientToken('inventory')],
 *     },
 *   ],
 * })
 * export class CatalogModule {}
 * ```
 */
@Module({})
export class ServiceClientsModule {
  /** @throws DiscoveryError `RK_CONFIG_INVALID` for an empty name, or for a wrong option */
  static forFeature(features: readonly ServiceClientFeature[]): DynamicModule {
    const providers = new Map<unknown, FactoryProvider>();
    for (const feature of features) {
      const { service, ...options } = typeof feature === 'string' ? { service: feature } : feature;
      assertServiceClient('ServiceClientsModule.forFeature', service, options);
      for (const provider of clientProviders(service, options)) providers.set(provider.provide, provider);
    }
    const all = [...providers.values()];
    return { module: ServiceClientsModule, providers: all, exports: all };
  }
}
