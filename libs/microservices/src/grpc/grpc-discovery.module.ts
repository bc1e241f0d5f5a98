import { Global, Module } from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { DiscoveryService, HealthService } from '@rookery/discovery';
import { AppServers, CallReceiver, HealthContributors, meshOf } from '@rookery/discovery/adapter';
import { declaredGrpcClients } from './grpc-service-client.decorator.js';
import { GrpcClients } from './grpc-clients.js';
import { GrpcServers } from './serving/grpc-servers.js';
import { IncomingCallInterceptor } from './serving/incoming-call.interceptor.js';

const { providers } = declaredGrpcClients;

/** Providers that the decorators declare. Read when Nest scans it, after all imports have run. */
@Global()
@Module({ providers, exports: providers })
class DeclaredGrpcClientsModule {}

/**
 * Lets gRPC clients of this app call services by name: `url: 'rookery:inventory'` in a client of Nest, `@GrpcServiceClient`, and channels. Its servers know
 * of their callers' deadlines, answer the standard health service, and report their load. Import it once, beside `ConsulModule` or `EtcdModule`.
 *
 * @example
 * ```ts
 * @Module({
 *   imports: [
 *     ConsulModule.forRoot(),
 *     GrpcDiscoveryModule,
 *     ClientsModule.register([
 *       {
 *         name: 'BOOKS',
 *         transport: Transport.GRPC,
 *         options: { package: 'books', protoPath: PROTO, url: 'rookery:inventory' },
 *       },
 *     ]),
 *   ],
 * })
 * export class AppModule {}
 * ```
 */
@Global()
@Module({
  imports: [DeclaredGrpcClientsModule],
  providers: [
    {
      provide: APP_INTERCEPTOR,
      useFactory: (receiver: CallReceiver) => new IncomingCallInterceptor(receiver),
      inject: [CallReceiver],
    },
    {
      provide: GrpcServers,
      useFactory: (
        servers: AppServers,
        health: HealthService,
        contributors: HealthContributors,
        receiver: CallReceiver,
        discovery: DiscoveryService,
      ) => {
        const support = new GrpcServers({ health, contributors, receiver, mesh: meshOf(discovery) });
        servers.addSupport(support);
        return support;
      },
      inject: [AppServers, HealthService, HealthContributors, CallReceiver, DiscoveryService],
    },
    {
      provide: GrpcClients,
      useFactory: (discovery: DiscoveryService) => new GrpcClients(discovery),
      inject: [DiscoveryService],
    },
  ],
  exports: [GrpcClients],
})
export class GrpcDiscoveryModule {}
