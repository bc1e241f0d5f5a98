import { Inject } from '@nestjs/common';
import { configInvalid, findMistakes } from '../configuration/validate-options.js';
import { DiscoveryError } from '../errors/discovery-error.js';
import { serviceClientOptionsSchema, type ServiceClientOptions } from './service-client.options.js';
import { getServiceClientToken } from './service-client.token.js';
import { declareServiceClient } from './service-clients.module.js';

/** Marks a constructor parameter or a property; the last two arguments tell which. */
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
 * @throws DiscoveryError `RK_CONFIG_INVALID` when it stands anywhere else, the name is empty, or an option is wrong
 */
export function ServiceClient(service: string, options: ServiceClientOptions = {}): ServiceClientDecorator {
  if (typeof service !== 'string' || service.trim() === '') {
    throw new DiscoveryError(
      'RK_CONFIG_INVALID',
      `@ServiceClient: ${JSON.stringify(service)} is no service name`,
      {
        hint: "Name the service as it is registered, such as @ServiceClient('inventory')",
      },
    );
  }
  const mistakes = findMistakes(serviceClientOptionsSchema, options);
  if (mistakes.length > 0) throw configInvalid(`@ServiceClient('${service}')`, mistakes);
  const token = getServiceClientToken(service, options);
  return (target, propertyKey, parameterIndex) => {
    const isMethodParameter = propertyKey !== undefined && parameterIndex !== undefined;
    const isClass = propertyKey === undefined && parameterIndex === undefined;
    if (isMethodParameter || isClass) {
      const where = isClass ? 'a class' : `a parameter of the method ${String(propertyKey)}`;
      throw new DiscoveryError('RK_CONFIG_INVALID', `@ServiceClient('${service}') stands on ${where}`, {
        hint: 'Put it on a constructor parameter or on a property',
      });
    }
    declareServiceClient(token, service, options);
    // Nest types Inject for one position at a time; it handles both.
    (Inject(token) as ServiceClientDecorator)(target, propertyKey, parameterIndex);
  };
}
