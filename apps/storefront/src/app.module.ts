import { Module } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { AlertsModule } from '@rookery/consul';
import { DashboardModule } from '@rookery/dashboard';
import { GrpcDiscoveryModule } from '@rookery/microservices/grpc';
import { MetricsController } from './metrics.controller.js';
import { OffersController } from './offers.controller.js';
import { Prices } from './prices.js';
import { Ratings } from './ratings.js';
import { configuration, registry } from './registry.js';
import { ShopController } from './shop.controller.js';

@Module({
  imports: [
    ConfigModule.forRoot({ load: [configuration] }),
    registry,
    GrpcDiscoveryModule,
    DashboardModule.forRoot({ path: '/rookery', operations: true }),
    AlertsModule.forRoot({
      rules: [
        { type: 'instances', service: 'inventory', atLeast: 2, for: '10s' },
        { type: 'errors' },
        { type: 'registration' },
        { type: 'config' },
      ],
    }),
  ],
  controllers: [ShopController, OffersController, MetricsController],
  providers: [Prices, Ratings],
})
export class AppModule {}
