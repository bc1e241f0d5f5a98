import type { FactoryProvider } from '@nestjs/common';
import { invalidConfigError, validateOptions } from '../configuration/validate-options.js';
import { DiscoveryError } from '../errors/discovery-error.js';
import { ServiceClientFactory } from './service-client.factory.js';
import { serviceClientOptionsSchema, type ServiceClientOptions } from './service-client.options.js';
import { getServiceClientToken } from './service-client.token.js';
import { ServiceHttpService } from './service-http.service.js';

/** @throws DiscoveryError `RK_CONFIG_INVALID` for an empty name, or for a wrong option */
export function assertServiceClient(where: string, service: unknown, options: ServiceClientOptions): void {
  if (typeof service !== 'string' || service.trim() === '') {
    throw new DiscoveryError(
      'RK_CONFIG_INVALID',
      `${where}: ${JSON.stringify(service)} is not a service name`,
      {
        hint: "Name the service as it is registered, such as 'inventory'",
      },
    );
  }
  const issues = validateOptions(serviceClientOptionsSchema, options);
  if (issues.length > 0) throw invalidConfigError(`${where}('${service}')`, issues);
}

/**
 * The providers of a client. One with options depends on the client of the service without options: what a test puts in the place of
 * that one replaces all clients of the service, unless it names their options too.
 */
export function clientProviders(service: string, options: ServiceClientOptions): readonly FactoryProvider[] {
  const plain: FactoryProvider = {
    provide: getServiceClientToken(service),
    useFactory: (factory: ServiceClientFactory) => factory.create(service),
    inject: [ServiceClientFactory],
  };
  const provide = getServiceClientToken(service, options);
  if (provide === plain.provide) return [plain];
  const own: FactoryProvider = {
    provide,
    useFactory: (factory: ServiceClientFactory, client: unknown) =>
      client instanceof ServiceHttpService ? factory.create(service, options) : client,
    inject: [ServiceClientFactory, plain.provide],
  };
  return [plain, own];
}
