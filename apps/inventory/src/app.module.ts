import { Module } from '@nestjs/common';
import { ConsulModule } from '@rookery/consul';
import { BooksController } from './books.controller.js';
import { Books } from './books.js';
import { MetricsController } from './metrics.controller.js';

@Module({
  imports: [
    ConsulModule.forRoot({
      service: {
        name: 'inventory',
        tags: ['v1'],
        meta: { version: '1.0.0' },
        // The default is 10 s; on one machine a check every second costs little.
        check: { type: 'http', interval: '1s', timeout: '1s' },
      },
    }),
  ],
  controllers: [BooksController, MetricsController],
  providers: [Books],
})
export class AppModule {}
