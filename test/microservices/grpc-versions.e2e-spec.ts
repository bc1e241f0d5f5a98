import { readFileSync } from 'node:fs';
import * as newest from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from '@jest/globals';
import { DiscoveryService } from '@rookery/discovery';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';
import { GrpcClients, GrpcDiscoveryModule } from '@rookery/microservices/grpc';
import { TestCertificates, thrownBy } from '@rookery/test-support';
import * as oldest from 'grpc-js-oldest';
import { firstValueFrom } from 'rxjs';
import { createApp, rootModule } from '../e2e/test-app.js';
import { experimentalApi, type GrpcJs } from '#libs/microservices/dist/grpc/experimental-api.js';
import { BINDING } from '#libs/microservices/dist/grpc/channel-binding.js';
import { setUp } from '#libs/microservices/dist/grpc/set-up.js';
import { Library, LibraryServer, PROTO, type LibraryService } from './library-server.js';

const versionOf = (name: string): string =>
  (
    JSON.parse(readFileSync(new URL(`../../node_modules/${name}/package.json`, import.meta.url), 'utf8')) as {
      version: string;
    }
  ).version;

describe('gRPC by the name of a service', () => {
  const cleanUps: (() => unknown)[] = [];
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });
  const startApp = async (servers: readonly LibraryServer[]) => {
    for (const server of servers) cleanUps.push(() => server.stop());
    const registry = new InMemoryRegistry();
    for (const { port } of servers) registry.put({ service: 'library', port });
    const discovery = DiscoveryModule.forRootAsync({ useFactory: () => ({ registry }) });
    const { app } = await createApp(rootModule([discovery, GrpcDiscoveryModule]));
    await app.init();
    cleanUps.push(() => app.close());
    return { app, registry };
  };

  it.each([
    ['oldest', oldest as unknown as GrpcJs, 'grpc-js-oldest', '1.13.4'],
    ['newest', newest, '@grpc/grpc-js', '1.14.'],
  ] as const)(
    'works with the %s version of @grpc/grpc-js that is allowed',
    async (_, grpc, name, version) => {
      expect(versionOf(name)).toMatch(version);
      setUp(grpc);
      const servers = await Promise.all([
        LibraryServer.start(),
        LibraryServer.start(),
        LibraryServer.start(),
      ]);
      const { app, registry } = await startApp(servers);
      const discovery = app.get(DiscoveryService);
      const client = new grpc.Client('rookery:library', grpc.credentials.createInsecure(), {
        [BINDING]: { discovery, options: {} },
      });
      cleanUps.push(() => client.close());
      const { path, requestSerialize, responseDeserialize } = Library.service.Find as newest.MethodDefinition<
        object,
        { port: number }
      >;
      const find = (): Promise<{ port: number }> =>
        new Promise((resolve, reject) => {
          client.makeUnaryRequest(path, requestSerialize, responseDeserialize, {}, (error, found) =>
            found ? resolve(found) : reject(error as Error),
          );
        });
      const ports = new Set<number>();
      for (let n = 0; n < 60; n++) ports.add((await find()).port);
      expect(ports.size).toBe(3);
      const [dying, leaving] = servers;
      dying.kill();
      for (let n = 0; n < 100; n++) await find();
      registry.remove(`library-${leaving.port}`);
      const before = leaving.calls;
      await new Promise((resolve) => setTimeout(resolve, 50));
      for (let n = 0; n < 30; n++) await find();
      expect(leaving.calls).toBe(before);
      const explained = await discovery.explain('library');
      expect(explained.instances).toHaveLength(2);
    },
  );

  it('names what a version lacks, and the cure', () => {
    const { LeafLoadBalancer: _, ...experimental } = newest.experimental;
    expect(() => experimentalApi({ experimental } as never)).toThrow(
      /@grpc\/grpc-js has no experimental.LeafLoadBalancer.*npm install @grpc\/grpc-js@1\.14/s,
    );
    expect(() => experimentalApi({} as never)).toThrow(/has no experimental.registerResolver/);
    const credentials = { createInsecure: () => ({ _isSecure: () => false, _equals: () => true }) };
    expect(() => experimentalApi({ ...newest, credentials } as never)).toThrow(
      /has no ChannelCredentials._createSecureConnector/,
    );
  });

  it('speaks TLS where the client has credentials, and says what is wrong where the server has none', async () => {
    const certificates = await TestCertificates.create('localhost');
    cleanUps.push(() => certificates.remove());
    const read = (name: string): Buffer => readFileSync(certificates.file(name as 'ca'));
    const ca = read('ca');
    const own = [{ private_key: read('server-key'), cert_chain: read('server') }];
    const mutual = newest.ServerCredentials.createSsl(ca, own, true);
    const { app } = await startApp([await LibraryServer.start(mutual), await LibraryServer.start(mutual)]);
    const options = { package: 'library', protoPath: PROTO, service: 'Library' };
    const create = (credentials: newest.ChannelCredentials): LibraryService =>
      app.get(GrpcClients).create('library', {
        ...options,
        credentials,
        // The certificate is for the host, and not for the name of the service.
        channelOptions: { 'grpc.ssl_target_name_override': 'localhost' },
      });
    const find = (library: LibraryService) =>
      firstValueFrom(library.find({ title: 'Dune' }, new newest.Metadata()));
    const library = create(newest.credentials.createSsl(ca, read('client-key'), read('client')));
    expect(await find(library)).toMatchObject({ title: 'Dune' });
    const plain = await thrownBy(() => find(create(newest.credentials.createInsecure())));
    expect(plain).toMatchObject({ code: newest.status.UNAVAILABLE });
  });
});
