import { Module } from '@nestjs/common';
import { GrpcDiscoveryModule } from '@rookery/microservices/grpc';
import { registry } from './registry.js';
import { ReviewsController } from './reviews.controller.js';

@Module({ imports: [registry, GrpcDiscoveryModule], controllers: [ReviewsController] })
export class AppModule {}
