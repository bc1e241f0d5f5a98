import { Global, Module } from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { DiscoveryService } from '@rookery/discovery';
import { CallReceiver } from '@rookery/discovery/adapter';
import { declaredTcpClients } from './microservice-client.decorator.js';
import { IncomingPacketInterceptor } from './serving/incoming-packet.interceptor.js';
import { TcpClients } from './tcp-clients.js';

const { providers } = declaredTcpClients;

/** Providers that the decorator declares. Read when Nest scans it, after all imports have run. */
@Global()
@Module({ providers, exports: providers })
class DeclaredTcpClientsModule {}

/**
 * Lets clients of Nest's TCP transport call services by name: `@MicroserviceClient`, and `DiscoveryClientProxy` as the `customClass` of `ClientsModule`.
 * With Nest 12, handlers know of their callers' deadlines. Import it once, beside `ConsulModule` or `EtcdModule`.
 *
 * @example
 * ```ts
 * @Module({ imports: [ConsulModule.forRoot(), TcpDiscoveryModule] })
 * export class AppModule {}
 * ```
 */
@Global()
@Module({
  imports: [DeclaredTcpClientsModule],
  providers: [
    {
      provide: APP_INTERCEPTOR,
      useFactory: (receiver: CallReceiver) => new IncomingPacketInterceptor(receiver),
      inject: [CallReceiver],
    },
    {
      provide: TcpClients,
      useFactory: (discovery: DiscoveryService) => new TcpClients(discovery),
      inject: [DiscoveryService],
    },
  ],
  exports: [TcpClients],
})
export class TcpDiscoveryModule {}
