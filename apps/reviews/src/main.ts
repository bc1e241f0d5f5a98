import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { grpcOptions } from './grpc-options.js';

const app = await NestFactory.createMicroservice(AppModule, grpcOptions(Number(process.env.PORT ?? 50_051)));
app.enableShutdownHooks();
await app.listen();
