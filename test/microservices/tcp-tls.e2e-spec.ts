import type { Server as TlsServer, TLSSocket } from 'node:tls';
import { Controller } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, Transport } from '@nestjs/microservices';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';
import { TcpClients, TcpDiscoveryModule } from '@rookery/microservices/tcp';
import { CertificateFolder, eventually, freePorts, TestCertificates, thrownBy } from '@rookery/test-support';
import { firstValueFrom } from 'rxjs';
import { CallLoad } from '../faults/call-load.js';
import { createApp, rootModule } from '../e2e/test-app.js';

@Controller()
class Books {
  @MessagePattern('find')
  find({ title }: { title: string }): string {
    return title;
  }
}

describe("clients of Nest's TCP transport and instances that speak TLS", () => {
  let before: TestCertificates;
  let after: TestCertificates;
  let files: CertificateFolder;
  const cleanUps: (() => unknown)[] = [];

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

  const start = async (caFile: string) => {
    const [port = 0] = await freePorts(1);
    const tlsOptions = {
      ...{ cert: before.pem('server'), key: before.pem('server-key') },
      ...{ ca: `${before.pem('ca')}\n${after.pem('ca')}`, requestCert: true, rejectUnauthorized: true },
    };
    const server = await NestFactory.createMicroservice(rootModule([], { controllers: [Books] }), {
      ...{ transport: Transport.TCP, logger: false as const },
      options: { host: '127.0.0.1', port, tlsOptions },
    });
    await server.listen();
    cleanUps.push(() => server.close());
    /** The authorities of the callers' certificates, of the connections that are open. */
    const open = new Set<string>();
    server.unwrap<TlsServer>().on('secureConnection', (socket: TLSSocket) => {
      const issuer = String(socket.getPeerCertificate().issuer.CN);
      open.add(issuer);
      socket.once('close', () => open.delete(issuer));
    });
    const registry = new InMemoryRegistry();
    registry.put({ service: 'library', id: 'library-1', port, secure: true });
    const tls = { caFile, certFile: files.file('client'), keyFile: files.file('client-key') };
    const discovery = DiscoveryModule.forRootAsync({ useFactory: () => ({ registry, clients: { tls } }) });
    const { app } = await createApp(rootModule([discovery, TcpDiscoveryModule]));
    await app.init();
    cleanUps.push(() => app.close());
    const library = app.get(TcpClients).create({ service: 'library' });
    return { open, find: () => firstValueFrom(library.send<string>('find', { title: 'Dune' })) };
  };

  it('connect with the certificates of clients.tls, renewed while calls go on', async () => {
    const { open, find } = await start(files.file('ca'));
    expect(await find()).toBe('Dune');
    const [first] = open;
    const load = new CallLoad(async () => {
      await find();
      return undefined;
    }).start(100);
    await eventually(() => load.calls.length > 50);
    files.take(after, 'client', 'client-key');
    await eventually(() => open.size === 1 && !open.has(String(first)));
    const renewed = load.calls.length;
    await eventually(() => load.calls.length > renewed + 100);
    await load.stop();
    expect(load.failures).toEqual([]);
  });

  it('refuse a server whose authority they do not know', async () => {
    const { open, find } = await start(after.file('ca'));
    expect((await thrownBy(find())).message).toMatch(/unable to|self-signed|not trusted here/);
    expect(open.size).toBe(0);
  });
});
