import { Inject, type FactoryProvider } from '@nestjs/common';
import {
  invalidConfigError,
  nonEmptyString,
  validateOptions,
  withProvider,
} from '@rookery/discovery/adapter';
import { z } from 'zod';
import { DeclaredClients } from '../declared-clients.js';
import { assertDiscoveryClient, type DiscoveryClientOptions } from './discovery-client-proxy.js';
import { TcpClients } from './tcp-clients.js';

/** Decorates a constructor parameter or a property. */
export type MicroserviceClientDecorator = (
  target: object,
  propertyKey?: string | symbol,
  parameterIndex?: number,
) => void;

export const declaredTcpClients = new DeclaredClients('TcpClients.create');
const nameSchema = z.object({ name: nonEmptyString('must be the name of a registered service') });

/** The injection token of a client, to replace it in a test. */
export function getMicroserviceClientToken(service: string): string {
  return withProvider(`MicroserviceClient(${service})`);
}

/**
 * Injects a client of Nest's TCP transport, whose messages go to a healthy instance of the service. Nothing needs to be declared in `providers`;
 * `TcpDiscoveryModule` has to be imported once.
 *
 * @example
 * ```ts
 * @Injectable()
 * export class Stock {
 *   constructor(@MicroserviceClient('inventory-tcp') private readonly inventory: ClientProxy) {}
 *
 *   count(book: number) {
 *     return firstValueFrom(this.inventory.send<number>('count', { book }));
 *   }
 * }
 * ```
 * @param service as it is registered
 * @throws DiscoveryError `RK_CONFIG_INVALID` for an empty name or a wrong option
 */
export function MicroserviceClient(
  service: string,
  options: Omit<DiscoveryClientOptions, 'service'> = {},
): MicroserviceClientDecorator {
  const issues = validateOptions(nameSchema, { name: service });
  if (issues.length > 0) throw invalidConfigError('@MicroserviceClient', issues);
  assertDiscoveryClient(`@MicroserviceClient('${service}')`, { ...options, service });
  const provider: FactoryProvider<object> = {
    provide: getMicroserviceClientToken(service),
    useFactory: (clients: TcpClients) => clients.create({ ...options, service }),
    inject: [TcpClients],
  };
  return (target, propertyKey, parameterIndex) => {
    declaredTcpClients.declare(provider, options);
    // Nest's Inject handles both targets, but its type allows one at a time.
    (Inject(provider.provide as string) as MicroserviceClientDecorator)(target, propertyKey, parameterIndex);
  };
}
