import { Global, Module, type FactoryProvider, type Type } from '@nestjs/common';
import { clientProviders } from './client-provider.js';
import type { ServiceClientOptions } from './service-client.options.js';

/**
 * Filled by the decorators when their classes are loaded, and read by Nest when it scans the modules. That is after all
 * imports have run, so a client that is declared after `forRoot()` was evaluated is found as well.
 */
const providers: (FactoryProvider | Type)[] = [];

export function declareServiceClient(service: string, options: ServiceClientOptions): void {
  for (const provider of clientProviders(service, options))
    if (!providers.some((known) => 'provide' in known && known.provide === provider.provide))
      providers.push(provider);
}

/** A class whose constructor has parameters, its own or inherited, needs a module that has what they are. */
export function declareClientClass(type: Type): void {
  const parameters = Reflect.getMetadata('design:paramtypes', type) as readonly unknown[] | undefined;
  if ((parameters?.length ?? 0) === 0 && !hasParameters(type)) providers.push(type);
}

function hasParameters(type: unknown): boolean {
  return typeof type === 'function' && (type.length > 0 || hasParameters(Object.getPrototypeOf(type)));
}

/** Provides every client that a `@ServiceClient` decorator declared. */
@Global()
@Module({ providers, exports: providers })
export class DeclaredClientsModule {}
