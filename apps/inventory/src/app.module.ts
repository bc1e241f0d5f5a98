import { Module } from '@nestjs/common';
import { BooksController } from './books.controller.js';
import { Books } from './books.js';
import { MetricsController } from './metrics.controller.js';
import { registry } from './registry.js';

@Module({
  imports: [registry],
  controllers: [BooksController, MetricsController],
  providers: [Books],
})
export class AppModule {}
