// app.ts
import 'reflect-metadata';
import { HttpService } from '@nestjs/axios';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ConsulModule, ServiceClient } from '@rookery/consul';
import { firstValueFrom } from 'rxjs';

@Controller()
class GreetingController {
  // An HttpService whose URLs are relative to the service "greeting": here, this app itself.
  constructor(@ServiceClient('greeting') private readonly greeting: HttpService) {}

  @Get('name')
  name() {
    return { name: 'Ada' };
  }

  @Get('hello')
  async hello() {
    const { data } = await firstValueFrom(this.greeting.get<{ name: string }>('/name'));
    return { message: `Hello, ${data.name}` };
  }
}

@Module({
  imports: [ConsulModule.forRoot({ service: { name: 'greeting' } })],
  controllers: [GreetingController],
})
class AppModule {}

async function bootstrap(): Promise<void> {
  const app = await NestFactory.create(AppModule);
  app.enableShutdownHooks();
  await app.listen(process.env.PORT ?? 3000);
  console.log(`listening at ${await app.getUrl()}`);
}
void bootstrap();
