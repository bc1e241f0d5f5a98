/** A gRPC server and a TCP server of Nest, and an app that calls both by name: prints what they answered, and ends. */
export function grpcApp(proto: string): string {
  return `
import 'reflect-metadata';
import { Controller, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientsModule, GrpcMethod, MessagePattern, Transport, type ClientGrpc, type ClientProxy } from '@nestjs/microservices';
import { ConsulModule, StaticSource } from '@rookery/consul';
import { GrpcDiscoveryModule, GrpcServiceClient } from '@rookery/microservices/grpc';
import { MicroserviceClient, TcpDiscoveryModule } from '@rookery/microservices/tcp';
import { firstValueFrom, type Observable } from 'rxjs';

interface Library {
  find(query: { title: string }): Observable<{ title: string; port: number }>;
}

const protoPath = ${JSON.stringify(proto)};
const [grpcPort, tcpPort] = (process.env.PORTS ?? '').split(',').map(Number) as [number, number];

@Controller()
class LibraryController {
  @GrpcMethod('Library', 'Find')
  findOverGrpc({ title }: { title: string }) {
    return { title, port: grpcPort };
  }

  @MessagePattern('find')
  find({ title }: { title: string }) {
    return { title, port: tcpPort };
  }
}

@Module({ controllers: [LibraryController] })
class ServerModule {}

@Injectable()
class Reader {
  constructor(
    @GrpcServiceClient('library', { package: 'library', protoPath, service: 'Library' }) readonly grpc: Library,
    @MicroserviceClient('library-tcp') readonly tcp: ClientProxy,
  ) {}
}

const sources = [
  new StaticSource({ library: [\`127.0.0.1:\${grpcPort}\`], 'library-tcp': [\`127.0.0.1:\${tcpPort}\`] }),
  'registry' as const,
];

@Module({
  imports: [
    ConsulModule.forRoot({ discovery: { sources } }),
    GrpcDiscoveryModule,
    TcpDiscoveryModule,
    ClientsModule.register([
      { name: 'LIBRARY', transport: Transport.GRPC, options: { package: 'library', protoPath, url: 'rookery:library' } },
    ]),
  ],
  providers: [Reader],
})
class ClientModule {}

async function run(): Promise<void> {
  const quiet = { logger: false as const };
  const servers = [
    await NestFactory.createMicroservice(ServerModule, {
      ...quiet,
      transport: Transport.GRPC,
      options: { url: \`127.0.0.1:\${grpcPort}\`, package: 'library', protoPath },
    }),
    await NestFactory.createMicroservice(ServerModule, {
      ...quiet,
      transport: Transport.TCP,
      options: { host: '127.0.0.1', port: tcpPort },
    }),
  ];
  for (const server of servers) await server.listen();
  const app = await NestFactory.createApplicationContext(ClientModule, quiet);
  const { grpc, tcp } = app.get(Reader);
  const stock = app.get<ClientGrpc>('LIBRARY').getService<Library>('Library');
  const found = [
    await firstValueFrom(grpc.find({ title: 'typed' })),
    await firstValueFrom(stock.find({ title: 'stock' })),
    await firstValueFrom(tcp.send<{ title: string; port: number }>('find', { title: 'tcp' })),
  ];
  console.log(found.map(({ title, port }) => title + ' ' + (port > 0)).join(', '));
  await app.close();
  for (const server of servers) await server.close();
}

run().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
`;
}
