import 'reflect-metadata';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { ConsulModule, DiscoveryService } from '@rookery/consul';

@Controller()
class AppController {
  constructor(private readonly discovery: DiscoveryService) {}

  @Get('instances')
  async instances(): Promise<number> {
    return (await this.discovery.getInstances('fastify-app')).length;
  }
}

@Module({
  imports: [ConsulModule.forRoot({ service: { name: 'fastify-app' } })],
  controllers: [AppController],
})
class AppModule {}

const app = await NestFactory.create<NestFastifyApplication>(AppModule, new FastifyAdapter());
app.enableShutdownHooks();
await app.listen(process.env.PORT ?? 3000);
console.log(`listening at ${await app.getUrl()}`);
