import { Inject } from '@nestjs/common';
import { DiscoveryError } from '../errors/discovery-error.js';
import { noteCopy } from '../configuration/loaded-copies.js';
import { assertServiceClient } from './client-provider.js';
import type { ServiceClientOptions } from './service-client.options.js';
import { getServiceClientToken } from './service-client.token.js';
import { declareServiceClient } from './declared-clients.module.js';

/** Decorates a constructor parameter or a property. */
export type ServiceClientDecorator = (
  target: object,
  propertyKey?: string | symbol,
  parameterIndex?: number,
) => void;

/**
 * Injects an `HttpService` whose relative URLs go to a healthy instance of the service. Nothing needs to be declared
 * in `providers`.
 *
 * @example
 * ```ts
 * @Injectable()
 * export class Books {
 *   constructor(@ServiceClient('inventory') private readonly inventory: HttpService) {}
 *
 *   list() {
 *     return this.inventory.get<Book[]>('/books');
 *   }
 * }
 * ```
 * @throws DiscoveryError `RK_CONFIG_INVALID` on any other target, for an empty name, or for a wrong option
 */
export function ServiceClient(service: string, options: ServiceClientOptions = {}): ServiceClientDecorator {
  noteCopy();
  assertServiceClient('@ServiceClient', service, options);
  const token = getServiceClientToken(service, options);
  return (target, propertyKey, parameterIndex) => {
    const isMethodParameter = propertyKey !== undefined && parameterIndex !== undefined;
    const isClass = propertyKey === undefined && parameterIndex === undefined;
    if (isMethodParameter || isClass) {
      const where = isClass ? 'a class' : `a parameter of the method ${String(propertyKey)}`;
      throw new DiscoveryError('RK_CONFIG_INVALID', `@ServiceClient('${service}') decorates ${where}`, {
        hint: 'Use it on a constructor parameter or on a property',
      });
    }
    declareServiceClient(service, options);
    // Nest's Inject handles both targets, but its type allows one at a time.
    (Inject(token) as ServiceClientDecorator)(target, propertyKey, parameterIndex);
  };
}
