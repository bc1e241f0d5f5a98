import { copyFileSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { NestFactory } from '@nestjs/core';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ServiceClientFactory, type CertificateSource, type ServiceTlsOptions } from '@rookery/discovery';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';
import { eventually, figure, TestCertificates, thrownBy } from '@rookery/test-support';
import { CallLoad } from '../faults/call-load.js';
import { rootModule } from './test-app.js';

type Name = 'ca' | 'server' | 'server-key' | 'client' | 'client-key';

describe('certificates between services, renewed while calls go on', () => {
  const cleanUps: (() => unknown)[] = [];
  let before: TestCertificates;
  let after: TestCertificates;
  let folder: string;

  const pem = (of: TestCertificates, name: Name): string => readFileSync(of.file(name), 'utf8');
  const both = (): string => `${pem(before, 'ca')}\n${pem(after, 'ca')}`;
  const own = (name: Name): string => join(folder, `${name}.pem`);
  const put = (name: Name, content: string): void => {
    writeFileSync(join(folder, 'new'), content);
    renameSync(join(folder, 'new'), own(name));
  };
  /** A server that wants a certificate, and tells whose it was: the issuer of both is called alike, the serial number is not. */
  const serve = async (): Promise<{ server: Server; port: number; connections: () => number }> => {
    let connections = 0;
    const server = createServer(
      {
        ...{ cert: pem(before, 'server'), key: pem(before, 'server-key'), ca: both() },
        ...{ requestCert: true, rejectUnauthorized: true },
      },
      (request, response) => {
        response.end((request.socket as TLSSocket).getPeerCertificate().serialNumber);
      },
    );
    server.on('secureConnection', () => connections++);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanUps.push(() => {
      server.closeAllConnections();
      server.close();
    });
    return { server, port: (server.address() as AddressInfo).port, connections: () => connections };
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
    folder = mkdtempSync(join(tmpdir(), 'rookery-rotation-'));
    for (const name of ['ca', 'client', 'client-key'] as const) copyFileSync(before.file(name), own(name));
    cleanUps.push(() => rmSync(folder, { recursive: true }));
  });
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
    for (const each of [before, after]) each.remove();
  });

  it('the authority, the certificate of the server and that of the client: no call fails, and the old ones are used no more', async () => {
    const { server, port, connections } = await serve();
    const call = await client(port, {
      caFile: own('ca'),
      certFile: own('client'),
      keyFile: own('client-key'),
    });
    const seen: string[] = [];
    const load = new CallLoad(async () => {
      seen.push(await call());
      return undefined;
    }).start(200);
    await eventually(() => seen.length > 100);
    const [first] = seen;
    put('ca', both());
    await eventually(() => connections() > 1);
    server.setSecureContext({ cert: pem(after, 'server'), key: pem(after, 'server-key'), ca: both() });
    put('client', pem(after, 'client'));
    put('client-key', pem(after, 'client-key'));
    await eventually(() => seen.at(-1) !== first);
    const rotated = seen.length;
    put('ca', pem(after, 'ca'));
    await eventually(() => seen.length > rotated + 600);
    await load.stop();
    figure(
      'certificates',
      `${load.failures.length} of ${load.calls.length} calls failed while the authority and both certificates were renewed`,
    );
    expect(load.failures).toEqual([]);
    expect(new Set(seen.slice(rotated + 100)).size).toBe(1);
    // The old authority is trusted no more.
    server.setSecureContext({ cert: pem(before, 'server'), key: pem(before, 'server-key'), ca: both() });
    server.closeAllConnections();
    expect(String(await thrownBy(call))).toMatch(/not trusted here: set clients\.tls\.caFile/);
  }, 60_000);

  it('come from a source of the app, which is asked for each connection', async () => {
    const { port } = await serve();
    let used = before;
    let present = { ca: [both()], cert: pem(used, 'client'), key: pem(used, 'client-key') };
    const source: CertificateSource = { current: () => present };
    const call = await client(port, { certificates: source });
    const first = await call();
    expect(await call()).toBe(first);
    used = after;
    present = { ca: [both()], cert: pem(used, 'client'), key: pem(used, 'client-key') };
    expect(await call()).not.toBe(first);
  });
});
