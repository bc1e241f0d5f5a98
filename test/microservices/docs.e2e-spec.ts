import { readPage, shownExamples } from '@rookery/test-support';
import { credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { Injectable, Module } from '@nestjs/common';
import { ClientsModule, Transport, type ClientGrpc, type ClientProxy } from '@nestjs/microservices';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  ConsulModule as RealConsulModule,
  DiscoveryService,
  LoadReporter,
  StaticSource,
} from '@rookery/consul';
import { discoveryChannel, GrpcDiscoveryModule, GrpcServiceClient } from '@rookery/microservices/grpc';
import { DiscoveryClientProxy, MicroserviceClient, TcpDiscoveryModule } from '@rookery/microservices/tcp';
import { firstValueFrom } from 'rxjs';
import { createApp, rootModule } from '../e2e/test-app.js';
import {
  Library,
  LibraryServer,
  PROTO,
  type Found,
  type LibraryService as FromTests,
} from './library-server.js';
import { TcpLibrary, type Answered } from './tcp-server.js';

/** Metadata is optional in calls of Nest, where it is left out. */
interface LibraryService {
  find(query: { title: string }): ReturnType<FromTests['find']>;
}

let servers: Readonly<Record<string, readonly string[]>> = {};
/** The instances of the tests instead of those of a Consul. */
const ConsulModule = {
  forRoot: () =>
    RealConsulModule.forRootAsync({
      useFactory: () => ({ discovery: { sources: [new StaticSource(servers), 'registry'] } }),
    }),
};

// microservices/README.md: reader
@Injectable()
class Reader {
  constructor(
    @GrpcServiceClient('library', { package: 'library', protoPath: PROTO, service: 'Library' })
    private readonly library: LibraryService,
  ) {}

  read(title: string): Promise<Found> {
    return firstValueFrom(this.library.find({ title }));
  }
}
// microservices/README.md: end

// microservices/README.md: stock
@Injectable()
class Stock {
  constructor(@MicroserviceClient('library-tcp') private readonly library: ClientProxy) {}

  find(title: string): Promise<Answered> {
    return firstValueFrom(this.library.send<Answered>('find', { title }));
  }
}
// microservices/README.md: end

// microservices/README.md: load
@Injectable()
class Renderer {
  readonly queue: string[] = [];

  constructor(load: LoadReporter) {
    load.metric('render_queue', () => this.queue.length);
  }
}
// microservices/README.md: end

// microservices/README.md: app
@Module({
  imports: [
    ConsulModule.forRoot(),
    GrpcDiscoveryModule, // of @rookery/microservices/grpc
    ClientsModule.register([
      {
        name: 'LIBRARY',
        transport: Transport.GRPC,
        options: { package: 'library', protoPath: PROTO, url: 'rookery:library' },
      },
    ]),
  ],
})
class AppModule {}
// microservices/README.md: end

describe('what the README of microservices shows', () => {
  let grpc: LibraryServer;
  let tcp: TcpLibrary;
  beforeAll(async () => {
    [grpc, tcp] = await Promise.all([LibraryServer.start(), TcpLibrary.start()]);
    servers = { library: [`127.0.0.1:${grpc.port}`], 'library-tcp': [`127.0.0.1:${tcp.port}`] };
  });
  afterAll(async () => {
    await Promise.all([grpc.stop(), tcp.stop()]);
  });

  it('calls by name', async () => {
    // microservices/README.md: clients
    const clients = ClientsModule.register([
      { name: 'STOCK', customClass: DiscoveryClientProxy, options: { service: 'library-tcp' } },
    ]);
    // microservices/README.md: end
    const imports = [{ module: AppModule }, TcpDiscoveryModule as never, clients];
    const { app } = await createApp(rootModule(imports, { providers: [Reader, Stock, Renderer] }));
    await app.init();
    expect(await app.get(Reader).read('Dune')).toEqual({ title: 'Dune', port: grpc.port });
    expect(await app.get(Stock).find('Dune')).toEqual({ title: 'Dune', port: tcp.port });
    app.get(Renderer).queue.push('a page');
    expect(app.get(LoadReporter).report().named).toMatchObject({ render_queue: 1 });
    const stock = app.get<ClientGrpc>('LIBRARY').getService<FromTests>('Library');
    expect(await firstValueFrom(stock.find({ title: 'Emma' }, new Metadata()))).toMatchObject({
      title: 'Emma',
    });
    const discovery = app.get(DiscoveryService);
    // microservices/README.md: channel
    const channel = discoveryChannel(discovery, 'library');
    const client = new Library('library', credentials.createInsecure(), { channelOverride: channel });
    // microservices/README.md: end
    const found = await new Promise((resolve, reject) => {
      const find = client.Find as unknown as (
        this: unknown,
        query: object,
        answer: (error: ServiceError | null, found: unknown) => void,
      ) => void;
      find.call(client, { title: 'Emma' }, (error, value) => (error ? reject(error) : resolve(value)));
    });
    expect(found).toMatchObject({ title: 'Emma' });
    channel.close();
    await app.close();
  });

  it.each(shownExamples(import.meta.url))('is on its page, word for word: $page, $name', ({ page, text }) => {
    expect(readPage(page)).toContain(text.replace(/^class /m, 'export class '));
  });
});
