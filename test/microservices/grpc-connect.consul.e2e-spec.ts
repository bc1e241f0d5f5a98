import {
  Server,
  ServerCredentials,
  status,
  type ChannelCredentials,
  type Metadata,
  type ServerUnaryCall,
} from '@grpc/grpc-js';
import { Controller, Injectable } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientsModule, GrpcMethod, Transport, type ClientGrpc } from '@nestjs/microservices';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { ConsulModule, connectHttpsOptions, DiscoveryService, RegistrationService } from '@rookery/consul';
import { GrpcDiscoveryModule, GrpcServiceClient, discoveryCredentials } from '@rookery/microservices/grpc';
import {
  ConnectAuthority,
  type ConsulAgent,
  startConnectConsul,
  eventually,
  freePorts,
  thrownBy,
  type Leaf,
} from '@rookery/test-support';
import { firstValueFrom } from 'rxjs';
import { CallLoad } from '../faults/call-load.js';
import { createApp, rootModule } from '../e2e/test-app.js';
import { Library, PROTO, type Found, type LibraryService } from './library-server.js';

@Controller()
class Books {
  static calls = 0;
  /** Of the certificate of the last caller. */
  static callerIssuer = '';

  @GrpcMethod('Library', 'Find')
  find({ title }: { title: string }, _: Metadata, call: ServerUnaryCall<object, Found>): Found {
    Books.calls++;
    Books.callerIssuer = String(call.getAuthContext().sslPeerCertificate?.issuer.CN);
    return { title, port: 1 };
  }
}

@Injectable()
class Reader {
  constructor(
    @GrpcServiceClient('library', { package: 'library', protoPath: PROTO, service: 'Library' })
    readonly library: LibraryService,
  ) {}
}

describe('gRPC between Connect-native apps', () => {
  let authority: ConnectAuthority;
  let consul: ConsulAgent;
  let trustDomain: string;
  const cleanUps: (() => unknown)[] = [];
  beforeAll(async () => {
    ({ authority, consul, trustDomain } = await startConnectConsul());
  });
  afterAll(() => consul.stop());
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  const native = (name: string) =>
    ConsulModule.forRoot({
      agent: { url: consul.url },
      service: { name },
      connect: { native: true },
      shutdown: { drainTimeout: 0 },
    });
  const startLibrary = async (): Promise<string> => {
    const [port = 0] = await freePorts(1);
    const url = `127.0.0.1:${port}`;
    const module = rootModule([native('library'), GrpcDiscoveryModule], { controllers: [Books] });
    const app = await NestFactory.createMicroservice(module, {
      ...{ transport: Transport.GRPC, logger: false as const, abortOnError: false },
      options: { package: 'library', protoPath: PROTO, url },
    });
    cleanUps.push(() => app.close());
    await app.listen();
    await app.get(RegistrationService).whenRegistered();
    return url;
  };
  const startReader = async () => {
    const module = rootModule([native('reader'), GrpcDiscoveryModule], { providers: [Reader] });
    const { app } = await createApp(module, 'express', connectHttpsOptions());
    cleanUps.push(() => app.close());
    await app.init();
    return { app, find: () => firstValueFrom(app.get(Reader).library.find({ title: 'Emma' })) };
  };
  /** Something that the registry takes for an instance of `library`. */
  const pretend = async ({ cert, key }: Leaf): Promise<{ calls: number }> => {
    const state = { calls: 0 };
    const server = new Server();
    server.addService(Library.service, {
      Find: (_: unknown, answer: (error: null, found: Found) => void) => {
        state.calls++;
        answer(null, { title: 'stolen', port: 0 });
      },
      Follow: () => undefined,
    });
    const pair = { private_key: Buffer.from(key), cert_chain: Buffer.from(cert) };
    const credentials = ServerCredentials.createSsl(Buffer.from(authority.cert), [pair], false);
    const Port = await new Promise<number>((resolve, reject) =>
      server.bindAsync('127.0.0.1:0', credentials, (error, port) => (error ? reject(error) : resolve(port))),
    );
    cleanUps.push(() => server.forceShutdown());
    const registration = { ID: 'pretended', Name: 'library', Address: '127.0.0.1', Port };
    await consul.request('PUT', '/v1/agent/service/register', { ...registration, Connect: { Native: true } });
    cleanUps.push(() => consul.request('PUT', '/v1/agent/service/deregister/pretended'));
    return state;
  };

  it('is mutual TLS without a line more, and each call is decided by the intentions', async () => {
    await startLibrary();
    const { body } = await consul.request('GET', '/v1/health/service/library');
    expect(body).toEqual([
      expect.objectContaining({ Service: expect.objectContaining({ Connect: { Native: true } }) }),
    ]);
    const { find } = await startReader();
    await eventually(async () => (await find()).title === 'Emma');
    const intention = {
      SourceName: 'reader',
      DestinationName: 'library',
      SourceType: 'consul',
      Action: 'deny',
    };
    const { body: made } = await consul.request('POST', '/v1/connect/intentions', intention);
    const denied = await eventually(
      () =>
        find().then(
          () => undefined,
          (error: unknown) => error as Error,
        ),
      { within: 1_000, every: 20 },
    );
    expect(denied).toMatchObject({
      code: status.PERMISSION_DENIED,
      details: '"reader" may not call: the intention of Consul from "reader" to "library" denies it',
    });
    const { calls } = Books;
    await thrownBy(find());
    expect(Books.calls).toBe(calls);
    await consul.request('DELETE', `/v1/connect/intentions/${(made as { ID: string }).ID}`);
    await eventually(() =>
      find().then(
        ({ title }) => title === 'Emma',
        () => false,
      ),
    );
  });

  it('is there for a stock client of Nest by its credentials', async () => {
    await startLibrary();
    const stock = (credentials?: ChannelCredentials) =>
      ClientsModule.register([
        {
          name: credentials ? 'SECURED' : 'PLAIN',
          transport: Transport.GRPC,
          options: {
            ...{ package: 'library', protoPath: PROTO, url: 'rookery:library' },
            ...(credentials ? { credentials } : {}),
          },
        },
      ]);
    const imports = [native('reader'), GrpcDiscoveryModule, stock(discoveryCredentials), stock()];
    const { app } = await createApp(rootModule(imports), 'express', connectHttpsOptions());
    cleanUps.push(() => app.close());
    await app.init();
    const find = (name: string): Promise<Found> =>
      firstValueFrom(app.get<ClientGrpc>(name).getService<LibraryService>('Library').find({ title: 'Emma' }));
    expect((await find('SECURED')).title).toBe('Emma');
    expect(await thrownBy(find('PLAIN'))).toMatchObject({ code: status.UNAVAILABLE });
  });

  it('takes no call without a certificate of Consul', async () => {
    const url = await startLibrary();
    const other = await ConnectAuthority.create();
    const { credentials } = await import('@grpc/grpc-js');
    const { calls } = Books;
    for (const leaf of [undefined, await other.leaf(trustDomain, 'reader')]) {
      const tls = credentials.createSsl(
        Buffer.from(authority.cert),
        leaf && Buffer.from(leaf.key),
        leaf && Buffer.from(leaf.cert),
        { checkServerIdentity: () => undefined },
      );
      const client = new Library(url, tls);
      const error = await thrownBy(
        new Promise((resolve, reject) => {
          const find = client.Find as unknown as (
            query: object,
            options: object,
            answer: (error: Error | null) => void,
          ) => void;
          find.call(client, { title: 'Emma' }, { deadline: Date.now() + 3_000 }, (failure) =>
            failure ? reject(failure) : resolve(0),
          );
        }),
      );
      expect([status.UNAVAILABLE, status.DEADLINE_EXCEEDED]).toContain((error as { code?: number }).code);
      client.close();
    }
    expect(Books.calls).toBe(calls);
  });

  it('calls only what is the service that it asked for', async () => {
    const { app, find } = await startReader();
    for (const leaf of [
      await authority.leaf(trustDomain, 'orders'),
      await authority.leaf('11111111-2222-3333-4444-555555555555.consul', 'library'),
      await authority.leaf(trustDomain, 'library', { validForMs: -60_000 }),
    ]) {
      const state = await pretend(leaf);
      const discovery = app.get(DiscoveryService);
      await eventually(async () => (await discovery.getInstances('library')).length === 1);
      await thrownBy(find());
      expect(state.calls).toBe(0);
    }
    const right = await pretend(await authority.leaf(trustDomain, 'library'));
    await eventually(() =>
      find().then(
        ({ title }) => title === 'stolen',
        () => false,
      ),
    );
    expect(right.calls).toBeGreaterThan(0);
  });

  it('loses no call while the root and both certificates are renewed', async () => {
    await startLibrary();
    const { find } = await startReader();
    await eventually(() => find().then(() => true));
    const load = new CallLoad(async () => {
      await find();
      return undefined;
    }).start(100);
    await eventually(() => load.calls.length > 100);
    const first = Books.callerIssuer;
    const next = await ConnectAuthority.create();
    await consul.request('PUT', '/v1/connect/ca/configuration', next.provider);
    const before = load.calls.length;
    await eventually(() => Books.callerIssuer !== first, { within: 45_000 });
    await eventually(() => load.calls.length > before + 600, { within: 30_000 });
    await load.stop();
    expect(load.failures).toEqual([]);
  }, 90_000);
});
