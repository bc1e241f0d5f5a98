import { readFileSync } from 'node:fs';
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

// README reader begin
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
// README reader end

// README stock begin
@Injectable()
class Stock {
  constructor(@MicroserviceClient('library-tcp') private readonly library: ClientProxy) {}

  find(title: string): Promise<Answered> {
    return firstValueFrom(this.library.send<Answered>('find', { title }));
  }
}
// README stock end

// README load begin
@Injectable()
class Renderer {
  readonly queue: string[] = [];

  constructor(load: LoadReporter) {
    load.metric('render_queue', () => this.queue.length);
  }
}
// README load end

// README app begin
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
// README app end

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
    // README clients begin
    const clients = ClientsModule.register([
      { name: 'STOCK', customClass: DiscoveryClientProxy, options: { service: 'library-tcp' } },
    ]);
    // README clients end
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
    // README channel begin
    const channel = discoveryChannel(discovery, 'library');
    const client = new Library('library', credentials.createInsecure(), { channelOverride: channel });
    // README channel end
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

  it('is what the README says, word for word', () => {
    const [source, readme] = ['readme.e2e-spec.ts', '../../libs/microservices/README.md'].map((file) =>
      readFileSync(new URL(file, import.meta.url), 'utf8'),
    ) as [string, string];
    const examples = [...source.matchAll(/^ *\/\/ README ([\w ]+) begin\n(.*?)^ *\/\/ README \1 end$/gms)];
    expect(examples).toHaveLength(6);
    for (const [, , text = ''] of examples) {
      const indent = /^ */.exec(text)?.[0] ?? '';
      const shown = text.replaceAll(new RegExp(`^${indent}`, 'gm'), '');
      expect(readme).toContain(shown.replace(/^class /m, 'export class '));
    }
  });
});
