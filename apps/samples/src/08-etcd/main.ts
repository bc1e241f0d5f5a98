import 'reflect-metadata';
import type { HttpService } from '@nestjs/axios';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EtcdModule, ServiceClient } from '@rookery/etcd';

@Controller()
class GreetingController {
  constructor(@ServiceClient('greeting') private readonly greeting: HttpService) {}

  @Get('name')
  name(): { name: string } {
    return { name: 'Ada' };
  }

  @Get('hello')
  async hello(): Promise<{ message: string }> {
    const { data } = await this.greeting.axiosRef.get<{ name: string }>('/name');
    return { message: `Hello, ${data.name}, by etcd` };
  }
}

@Module({
  imports: [EtcdModule.forRoot({ service: { name: 'greeting' } })],
  controllers: [GreetingController],
})
class AppModule {}

const app = await NestFactory.create(AppModule);
app.enableShutdownHooks();
await app.listen(process.env.PORT ?? 3000);
console.log(`listening at ${await app.getUrl()}`);
