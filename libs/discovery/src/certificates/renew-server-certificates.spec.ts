import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, TestCertificates } from '@rookery/test-support';
import { renewServerCertificates } from './renew-server-certificates.js';

describe('the certificates of a server', () => {
  let first: TestCertificates;
  let second: TestCertificates;
  let folder: string;
  let server: Server;
  const sockets: TLSSocket[] = [];
  const paths = () => ({ certFile: join(folder, 'server.pem'), keyFile: join(folder, 'server-key.pem') });
  const put = (from: TestCertificates): void => {
    for (const name of ['server', 'server-key'] as const)
      copyFileSync(from.file(name), join(folder, `${name}.pem`));
  };
  const opened = async (): Promise<TLSSocket> => {
    const { port } = server.address() as AddressInfo;
    const ca = [first, second].map((each) => readFileSync(each.file('ca'), 'utf8'));
    const socket = connect({ host: '127.0.0.1', port, ca });
    sockets.push(socket);
    await once(socket, 'secureConnect');
    return socket;
  };

  beforeAll(async () => {
    [first, second] = await Promise.all([TestCertificates.create('a'), TestCertificates.create('b')]);
    folder = mkdtempSync(join(tmpdir(), 'rookery-server-'));
  });
  afterAll(() => {
    for (const each of [first, second]) each.remove();
    rmSync(folder, { recursive: true });
  });
  beforeEach(async () => {
    put(first);
    server = createServer({});
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    server.close().closeAllConnections();
  });

  it('are renewed for new connections, and those that are open stay', async () => {
    const clock = new FakeClock();
    const end = renewServerCertificates(server, paths(), { clock });
    const before = await opened();
    put(second);
    await clock.advance(2_000);
    const after = await opened();
    expect(after.getPeerCertificate().fingerprint).not.toBe(before.getPeerCertificate().fingerprint);
    expect(before.destroyed).toBe(false);
    end();
    expect(clock.pending).toBe(0);
  });

  it('are looked at until the server is closed', () => {
    const clock = new FakeClock();
    renewServerCertificates(server, paths(), { clock });
    server.emit('close');
    expect(clock.pending).toBe(0);
  });

  it('that cannot be used at the start are an error', () => {
    const none = { ...paths(), keyFile: join(folder, 'none') };
    expect(() => renewServerCertificates(server, none)).toThrow(/ENOENT/);
  });
});
