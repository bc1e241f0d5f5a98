import { Inject, type FactoryProvider } from '@nestjs/common';
import { withProvider } from '@rookery/discovery/adapter';
import { DeclaredClients } from '../declared-clients.js';
import { GrpcClients } from './grpc-clients.js';
import { assertGrpcServiceClient, type GrpcServiceClientOptions } from './grpc-service-client.options.js';

/** Decorates a constructor parameter or a property. */
export type GrpcServiceClientDecorator = (
  target: object,
  propertyKey?: string | symbol,
  parameterIndex?: number,
) => void;

export const declaredGrpcClients = new DeclaredClients('GrpcClients.create');

/**
 * The injection token of a gRPC client, to replace it in a test.
 *
 * @param grpcService its name in the `.proto` file
 */
export function getGrpcServiceClientToken(service: string, grpcService: string): string {
  return withProvider(`GrpcServiceClient(${service}, ${grpcService})`);
}

/**
 * Injects a client of a gRPC service, whose calls go to a healthy instance of the registered service. Nothing needs to be declared in `providers`;
 * `GrpcDiscoveryModule` has to be imported once.
 *
 * @example
 * ```ts
 * @Injectable()
 * export class Reviews {
 *   constructor(
 *     @GrpcServiceClient('reviews', { package: 'reviews', protoPath: PROTO, service: 'ReviewsService' })
 *     private readonly reviews: ReviewsService,
 *   ) {}
 *
 *   of(book: number) {
 *     return firstValueFrom(this.reviews.find({ book }));
 *   }
 * }
 * ```
 * @param service as it is registered
 * @throws DiscoveryError `RK_CONFIG_INVALID` for an empty name, or a wrong option
 */
export function GrpcServiceClient(
  service: string,
  options: GrpcServiceClientOptions,
): GrpcServiceClientDecorator {
  assertGrpcServiceClient(service, options);
  const provider: FactoryProvider<object> = {
    provide: getGrpcServiceClientToken(service, options.service),
    useFactory: (clients: GrpcClients) => clients.create(service, options),
    inject: [GrpcClients],
  };
  return (target, propertyKey, parameterIndex) => {
    declaredGrpcClients.declare(provider, options);
    // Nest's Inject handles both targets, but its type allows one at a time.
    (Inject(provider.provide as string) as GrpcServiceClientDecorator)(target, propertyKey, parameterIndex);
  };
}
