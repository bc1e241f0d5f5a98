import { Module } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { ConsulModule } from '@rookery/consul';
import { OffersController } from './offers.controller.js';
import { Prices } from './prices.js';
import { settings } from './settings.js';

@Module({
  imports: [
    ConfigModule.forRoot({ load: [settings] }),
    ConsulModule.forRoot({ service: { name: 'storefront' } }),
  ],
  controllers: [OffersController],
  providers: [Prices],
})
export class AppModule {}
