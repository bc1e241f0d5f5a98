import { Module } from '@nestjs/common';
import { ConsulModule } from '@rookery/consul';
import { OffersController } from './offers.controller.js';
import { Prices } from './prices.js';

@Module({
  imports: [ConsulModule.forRoot({ service: { name: 'storefront' } })],
  controllers: [OffersController],
  providers: [Prices],
})
export class AppModule {}
