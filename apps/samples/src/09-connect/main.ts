import 'reflect-metadata';
import type { HttpService } from '@nestjs/axios';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  connectHttpsOptions,
  ConsulModule,
  RegistrationService,
  ServiceClientsModule,
  getServiceClientToken,
} from '@rookery/consul';

@Controller()
class SecretController {
  @Get('secret')
  secret(): { secret: number } {
    return { secret: 42 };
  }
}

@Module({
  imports: [
    ConsulModule.forRoot({ service: { name: 'vault' }, connect: { native: true } }),
    ServiceClientsModule.forFeature(['vault']),
  ],
  controllers: [SecretController],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { httpsOptions: connectHttpsOptions() });
app.enableShutdownHooks();
await app.listen(process.env.PORT ?? 3000);
console.log(`listening at ${await app.getUrl()}`);

await app.get(RegistrationService).whenRegistered();
const vault = app.get<HttpService>(getServiceClientToken('vault'));
const { data } = await vault.axiosRef.get<object>('/secret');
console.log(`called by its name, with certificates of Consul: ${JSON.stringify(data)}`);
