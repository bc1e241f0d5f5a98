import { Inject, type Type } from '@nestjs/common';
import { DiscoveryError } from '../errors/discovery-error.js';
import { noteCopy } from '../configuration/loaded-copies.js';
import { assertServiceClient } from './client-provider.js';
import type { ServiceClientOptions } from './service-client.options.js';
import { getServiceClientToken } from './service-client.token.js';
import { declareClientClass, declareServiceClient } from './declared-clients.module.js';
import { makeClientClass } from './declarative/declare-client-class.js';

/** Decorates a constructor parameter, a property, or a class. */
export type ServiceClientDecorator = (
  target: object,
  propertyKey?: string | symbol,
  parameterIndex?: number,
) => void;

/**
 * Injects an `HttpService` whose relative URLs go to a healthy instance of the service. Nothing needs to be declared
 * in `providers`.
 *
 * On a class it makes a declarative client, whose methods have the decorators of the entry `/client`. Such a class is provided everywhere,
 * unless its constructor has parameters: then it belongs into the `providers` of a module that has what they need.
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
    if (propertyKey !== undefined && parameterIndex !== undefined) {
      const where = `a parameter of the method ${String(propertyKey)}`;
      throw new DiscoveryError('RK_CONFIG_INVALID', `@ServiceClient('${service}') decorates ${where}`, {
        hint: 'Use it on a constructor parameter, on a property, or on a class',
      });
    }
    declareServiceClient(service, options);
    if (propertyKey === undefined && parameterIndex === undefined) {
      makeClientClass(target as Type, `@ServiceClient('${service}')`, token);
      declareClientClass(target as Type);
      return;
    }
    // Nest's Inject handles both targets, but its type allows one at a time.
    (Inject(token) as ServiceClientDecorator)(target, propertyKey, parameterIndex);
  };
}
