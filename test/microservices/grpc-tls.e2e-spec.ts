import { createServer, type AddressInfo } from 'node:net';
import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ServicePolicy } from '@rookery/discovery';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';
import { GrpcClients, GrpcDiscoveryModule } from '@rookery/microservices/grpc';
import { CertificateFolder, eventually, TcpProxy, TestCertificates, thrownBy } from '@rookery/test-support';
import { firstValueFrom } from 'rxjs';
import { CallLoad } from '../faults/call-load.js';
import { createApp, rootModule } from '../e2e/test-app.js';
import {
  LibraryServer,
  PROTO,
  ServerCredentials,
  type Found,
  type LibraryService,
} from './library-server.js';

describe('gRPC clients and instances that speak TLS', () => {
  let before: TestCertificates;
  let after: TestCertificates;
  let files: CertificateFolder;
  const cleanUps: (() => unknown)[] = [];
  const both = (): string => `${before.pem('ca')}\n${after.pem('ca')}`;

  beforeEach(async () => {
    [before, after] = await Promise.all([
      TestCertificates.create('library'),
      TestCertificates.create('library'),
    ]);
    files = new CertificateFolder(before, 'ca', 'client', 'client-key');
    cleanUps.push(() => files.remove());
  });
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
    for (const each of [before, after]) each.remove();
  });

  const start = async (tls: ServicePolicy['tls']) => {
    const pair = {
      private_key: Buffer.from(before.pem('server-key')),
      cert_chain: Buffer.from(before.pem('server')),
    };
    const secure = await LibraryServer.start(ServerCredentials.createSsl(Buffer.from(both()), [pair], true));
    const plain = await LibraryServer.start();
    const registry = new InMemoryRegistry();
    registry.put({ service: 'library', id: 'library-1', port: secure.port, secure: true });
    registry.put({ service: 'old-library', id: 'old-library-1', port: plain.port });
    cleanUps.push(() => Promise.all([secure.stop(), plain.stop()]));
    const useFactory = () => ({ registry, clients: tls ? { tls } : {} });
    const { app } = await createApp(
      rootModule([DiscoveryModule.forRootAsync({ useFactory }), GrpcDiscoveryModule]),
    );
    await app.init();
    cleanUps.push(() => app.close());
    const options = { package: 'library', protoPath: PROTO, service: 'Library' };
    const [library, oldLibrary] = ['library', 'old-library'].map((service) =>
      app.get(GrpcClients).create<LibraryService>(service, options),
    ) as [LibraryService, LibraryService];
    const find = (service: 'library' | 'old-library'): Promise<Found> =>
      firstValueFrom((service === 'library' ? library : oldLibrary).find({ title: 'Dune' }));
    return { secure, plain, find, registry };
  };

  it('connect with the certificates of clients.tls, and without TLS to others', async () => {
    const { secure, plain, find } = await start({
      ...{ caFile: files.file('ca'), certFile: files.file('client'), keyFile: files.file('client-key') },
    });
    expect((await find('library')).port).toBe(secure.port);
    expect(secure.callerIssuer).toMatch(/^Test CA/);
    expect((await find('old-library')).port).toBe(plain.port);
    expect(plain.callerIssuer).toBeUndefined();
  });

  it('refuse a server whose authority they do not know, or whose certificate is for another name', async () => {
    const { find } = await start(undefined);
    expect(await thrownBy(find('library'))).toMatchObject({
      code: status.UNAVAILABLE,
      details: expect.stringMatching(/self-signed|unable to/),
    });
    const own = {
      caFile: files.file('ca'),
      certFile: files.file('client'),
      keyFile: files.file('client-key'),
    };
    const other = await start({ ...own, serverName: 'inventory' });
    expect(await thrownBy(other.find('library'))).toMatchObject({
      details: expect.stringContaining("Host: inventory. is not in the cert's altnames"),
    });
  });

  it('give up an instance that takes connections and says nothing', async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    cleanUps.push(() => silent.close());
    const { find, registry } = await start({ caFile: files.file('ca') });
    registry.remove('library-1');
    const { port } = silent.address() as AddressInfo;
    registry.put({ service: 'library', id: 'library-2', port, secure: true });
    expect(await thrownBy(find('library'))).toMatchObject({
      code: status.UNAVAILABLE,
      details: expect.stringContaining('no TLS handshake within'),
    });
  }, 20_000);

  it('use certificates that are renewed, and lose no call by it', async () => {
    const { secure, find } = await start({
      ...{ caFile: files.file('ca'), certFile: files.file('client'), keyFile: files.file('client-key') },
    });
    await find('library');
    const first = secure.callerIssuer;
    const load = new CallLoad(async () => {
      await find('library');
      return undefined;
    }).start(100);
    await eventually(() => load.calls.length > 50);
    files.take(after, 'client', 'client-key');
    await eventually(() => secure.callerIssuer !== first);
    const renewed = load.calls.length;
    await eventually(() => load.calls.length > renewed + 100);
    await load.stop();
    expect(load.failures).toEqual([]);
    await eventually(() => secure.connections === 1, { within: 20_000 });
  });

  it('use the connection that is open until one with renewed certificates is there', async () => {
    const { secure, find, registry } = await start({
      ...{ caFile: files.file('ca'), certFile: files.file('client'), keyFile: files.file('client-key') },
    });
    const between = await TcpProxy.start(secure.port);
    cleanUps.push(() => between.stop());
    registry.remove('library-1');
    registry.put({ service: 'library', id: 'library-2', port: between.port, secure: true });
    await find('library');
    const first = secure.callerIssuer;
    between.hold();
    files.take(after, 'client', 'client-key');
    await eventually(async () => {
      await find('library');
      return between.held > 0;
    });
    for (let n = 0; n < 5; n++) await find('library');
    expect(secure.callerIssuer).toBe(first);
    between.release();
    await eventually(async () => {
      await find('library');
      return secure.callerIssuer !== first;
    });
  }, 30_000);
});
