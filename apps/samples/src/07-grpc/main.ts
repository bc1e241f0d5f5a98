import 'reflect-metadata';
import { join } from 'node:path';
import { Controller, Get, Module, Query } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { GrpcMethod, Transport, type MicroserviceOptions } from '@nestjs/microservices';
import { ConsulModule } from '@rookery/consul';
import { GrpcDiscoveryModule, GrpcServiceClient } from '@rookery/microservices/grpc';
import { firstValueFrom, type Observable } from 'rxjs';

const PROTO = join(import.meta.dirname, '../../src/07-grpc/library.proto');

interface Book {
  readonly title: string;
  readonly copies: number;
}

interface Library {
  find(query: { title: string }): Observable<Book>;
}

/** The gRPC server: here in the same app as its caller. */
@Controller()
class LibraryController {
  @GrpcMethod('Library')
  find({ title }: { title: string }): Book {
    return { title, copies: title.length };
  }
}

@Controller()
class ShopController {
  constructor(
    @GrpcServiceClient('library', { package: 'library', protoPath: PROTO, service: 'Library' })
    private readonly library: Library,
  ) {}

  @Get('copies')
  copies(@Query('title') title: string): Promise<Book> {
    return firstValueFrom(this.library.find({ title }));
  }
}

@Module({
  imports: [
    ConsulModule.forRoot({
      service: { name: 'library', transport: 'grpc', port: Number(process.env.GRPC_PORT ?? 5000) },
    }),
    GrpcDiscoveryModule,
  ],
  controllers: [LibraryController, ShopController],
})
class AppModule {}

const app = await NestFactory.create(AppModule);
app.connectMicroservice<MicroserviceOptions>({
  transport: Transport.GRPC,
  options: { url: `0.0.0.0:${process.env.GRPC_PORT ?? '5000'}`, package: 'library', protoPath: PROTO },
});
app.enableShutdownHooks();
await app.startAllMicroservices();
await app.listen(process.env.PORT ?? 3000);
console.log(`listening at ${await app.getUrl()}`);
