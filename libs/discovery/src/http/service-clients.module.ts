import { Global, Module, type FactoryProvider } from '@nestjs/common';
import { ServiceClientFactory } from './service-client.factory.js';
import type { ServiceClientOptions } from './service-client.options.js';

/**
 * Filled by the decorators when their classes are loaded, and read by Nest when it scans the modules. That is after all
 * imports have run, so a client that is declared after `forRoot()` was evaluated is found as well.
 */
const providers: FactoryProvider[] = [];

export function declareServiceClient(token: string, service: string, options: ServiceClientOptions): void {
  if (providers.some(({ provide }) => provide === token)) return;
  providers.push({
    provide: token,
    useFactory: (factory: ServiceClientFactory) => factory.create(service, options),
    inject: [ServiceClientFactory],
  });
}

/** Provides every client that a `@ServiceClient` decorator declared. */
@Global()
@Module({ providers, exports: providers })
export class ServiceClientsModule {}
