import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ServiceClientFactory, type CertificateSource, type ServiceTlsOptions } from '@rookery/discovery';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';
import {
  CertificateFolder,
  eventually,
  figure,
  TcpProxy,
  TestCertificates,
  thrownBy,
} from '@rookery/test-support';
import { CallLoad } from '../faults/call-load.js';
import { rootModule } from './test-app.js';

describe('certificates between services, renewed while calls go on', () => {
  const cleanUps: (() => unknown)[] = [];
  let before: TestCertificates;
  let after: TestCertificates;
  let files: CertificateFolder;

  const both = (): string => `${before.pem('ca')}\n${after.pem('ca')}`;
  /** A server that wants a certificate, and tells whose it was: the issuer of both is called alike, the serial number is not. */
  const serve = async (): Promise<{ server: Server; port: number }> => {
    const server = createServer(
      {
        ...{ cert: before.pem('server'), key: before.pem('server-key'), ca: both() },
        ...{ requestCert: true, rejectUnauthorized: true },
      },
      (request, response) => {
        response.end((request.socket as TLSSocket).getPeerCertificate().serialNumber);
      },
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanUps.push(() => {
      server.closeAllConnections();
      server.close();
    });
    return { server, port: (server.address() as AddressInfo).port };
  };
  const client = async (port: number, tls: ServiceTlsOptions): Promise<() => Promise<string>> => {
    const registry = new InMemoryRegistry();
    registry.put({ service: 'vault', id: 'vault-1', port, secure: true });
    const module = DiscoveryModule.forRootAsync({ useFactory: () => ({ registry, clients: { tls } }) });
    const app = await NestFactory.createApplicationContext(rootModule([module]), { logger: false });
    cleanUps.push(() => app.close());
    const http = app.get(ServiceClientFactory).create('vault');
    return async () => (await http.axiosRef.get<string>('/', { responseType: 'text' })).data;
  };

  beforeEach(async () => {
    [before, after] = await Promise.all([TestCertificates.create('vault'), TestCertificates.create('vault')]);
    files = new CertificateFolder(before, 'ca', 'client', 'client-key');
    cleanUps.push(() => files.remove());
  });
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
    for (const each of [before, after]) each.remove();
  });

  it('the authority, the certificate of the server and that of the client: no call fails, and the old ones are used no more', async () => {
    const { server, port } = await serve();
    const call = await client(port, {
      caFile: files.file('ca'),
      certFile: files.file('client'),
      keyFile: files.file('client-key'),
    });
    const seen: string[] = [];
    const load = new CallLoad(async () => {
      seen.push(await call());
      return undefined;
      // Client and server are one process: more than that is more than a busy machine has time for.
    }).start(100);
    await eventually(() => seen.length > 100);
    const [first] = seen;
    // A client that shows its new certificate has seen the authorities too, which were there before it.
    files.put('ca', both());
    files.take(after, 'client', 'client-key');
    await eventually(() => seen.slice(-100).every((each) => each !== first), { within: 30_000 });
    const rotated = seen.length;
    server.setSecureContext({ cert: after.pem('server'), key: after.pem('server-key'), ca: both() });
    files.put('ca', after.pem('ca'));
    await eventually(() => seen.length > rotated + 300, { within: 30_000 });
    await eventually(() => new Set(seen.slice(-150)).size === 1, { within: 30_000 });
    await load.stop();
    figure(
      'certificates',
      `${load.failures.length} of ${load.calls.length} calls failed while the authority and both certificates were renewed`,
    );
    expect(load.failures).toEqual([]);
    // The old authority is trusted no more.
    server.setSecureContext({ cert: before.pem('server'), key: before.pem('server-key'), ca: both() });
    server.closeAllConnections();
    expect(String(await thrownBy(call))).toMatch(/not trusted here: set clients\.tls\.caFile/);
  }, 120_000);

  it('come from a source of the app, which is asked for each connection', async () => {
    const { port } = await serve();
    let used = before;
    let present = { ca: [both()], cert: used.pem('client'), key: used.pem('client-key') };
    const source: CertificateSource = { current: () => present };
    const call = await client(port, { certificates: source });
    const first = await call();
    expect(await call()).toBe(first);
    used = after;
    present = { ca: [both()], cert: used.pem('client'), key: used.pem('client-key') };
    expect(await call()).not.toBe(first);
  });

  it('are renewed by one handshake at a time, while the other calls are answered on the connections that are open', async () => {
    const { port } = await serve();
    const between = await TcpProxy.start(port);
    cleanUps.push(() => between.stop());
    let present = { ca: [both()], cert: before.pem('client'), key: before.pem('client-key') };
    const call = await client(between.port, {
      certificates: { current: () => present },
    });
    const first = await call();
    between.hold();
    present = { ca: [both()], cert: after.pem('client'), key: after.pem('client-key') };
    const waiting = call().catch(() => undefined);
    await eventually(() => between.held > 0);
    for (let n = 0; n < 5; n++) {
      // A connection takes its next request a turn after an answer.
      await nextTurn();
      expect(await call()).toBe(first);
    }
    between.release();
    await waiting;
    await eventually(async () => (await call()) !== first);
  });
});
