import { Module } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { AlertsModule, ConsulModule } from '@rookery/consul';
import { DashboardModule } from '@rookery/dashboard';
import { MetricsController } from './metrics.controller.js';
import { OffersController } from './offers.controller.js';
import { Prices } from './prices.js';
import { settings } from './settings.js';
import { ShopController } from './shop.controller.js';

@Module({
  imports: [
    ConfigModule.forRoot({ load: [settings] }),
    ConsulModule.forRoot({ service: { name: 'storefront' } }),
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
  providers: [Prices],
})
export class AppModule {}
