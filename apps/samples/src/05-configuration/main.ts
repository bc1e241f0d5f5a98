import 'reflect-metadata';
import { Controller, Get, Injectable, Module } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { NestFactory } from '@nestjs/core';
import { ConsulModule } from '@rookery/consul';
import { ConfigValue, consulConfig } from '@rookery/consul/config';
import { z } from 'zod';

const settings = consulConfig({
  name: 'limited',
  schema: z.object({ limits: z.object({ rate: z.number().positive().default(100) }).prefault({}) }),
});

@Injectable()
class Limits {
  @ConfigValue('limits.rate')
  readonly rate: number = 100;
}

@Controller()
class AppController {
  constructor(private readonly limits: Limits) {}

  @Get('rate')
  rate(): { rate: number } {
    return { rate: this.limits.rate };
  }
}

@Module({
  imports: [
    ConfigModule.forRoot({ isGlobal: true, load: [settings] }),
    ConsulModule.forRoot({ service: { name: 'limited' } }),
  ],
  providers: [Limits],
  controllers: [AppController],
})
class AppModule {}

const app = await NestFactory.create(AppModule);
app.enableShutdownHooks();
await app.listen(process.env.PORT ?? 3000);
console.log(`listening at ${await app.getUrl()}`);
