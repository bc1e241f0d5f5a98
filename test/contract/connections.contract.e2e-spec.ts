import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { TestCertificates } from '@rookery/test-support';
import axios, { type AxiosInstance } from 'axios';
import { CASES } from './cases.js';
import type { ContractCase } from './case.js';
import { contractClient, type ContractClient } from './contract-clients.js';
import { ContractServer } from './outcome.js';

/** Node expects a certificate for the name in the header; a client, that of the instance. */
const HOST_OVER_TLS = 'a header host';

/** The cases whose outcome is not that of plain axios. */
async function differing(
  server: ContractServer,
  plain: AxiosInstance,
  own: AxiosInstance,
): Promise<string[]> {
  const found: string[] = [];
  for (const [at, { name, differs }] of CASES.entries()) {
    if (differs !== undefined) continue;
    const [expected, actual] = [await server.outcome(at, plain), await server.outcome(at, own)];
    try {
      expect(actual).toEqual(expected);
    } catch {
      found.push(name);
    }
  }
  return found;
}

describe('F57 over IPv6', () => {
  it('every case comes out as with plain axios', async () => {
    const server = await ContractServer.start(CASES, { host: '::1', port: 0 });
    const client = await contractClient({ address: '::1', port: server.port });
    const plain = axios.create({ baseURL: `http://[::1]:${server.port}`, proxy: false });
    expect(await differing(server, plain, client.axiosRef)).toEqual([]);
    await client.close();
    await server.stop();
  });
});

describe('F57 over TLS', () => {
  let certificates: TestCertificates;
  let server: ContractServer;
  const SUBJECT: ContractCase = {
    name: 'the certificate that the client shows',
    handle: (request, response) =>
      void response.end(JSON.stringify((request.socket as TLSSocket).getPeerCertificate().subject.CN)),
    send: (http, path) => http.get(path),
  };
  const cases = [...CASES, SUBJECT];
  const pem = (name: Parameters<TestCertificates['file']>[0]): string =>
    readFileSync(certificates.file(name), 'utf8');
  const peer = (): { address: string; port: number; secure: true } => ({
    address: '127.0.0.1',
    port: server.port,
    secure: true,
  });
  const mutual = () => ({
    caFile: certificates.file('ca'),
    certFile: certificates.file('client'),
    keyFile: certificates.file('client-key'),
  });
  const using = async (
    client: Promise<ContractClient>,
    run: (http: AxiosInstance) => Promise<void>,
  ): Promise<void> => {
    const { axiosRef, close } = await client;
    try {
      await run(axiosRef);
    } finally {
      await close();
    }
  };

  beforeAll(async () => {
    certificates = await TestCertificates.create('peer.service.consul');
    server = await ContractServer.start(cases, {
      host: '127.0.0.1',
      port: 0,
      tls: {
        cert: pem('server'),
        key: pem('server-key'),
        ca: pem('ca'),
        requestCert: true,
        rejectUnauthorized: true,
      },
    });
  });
  afterAll(async () => {
    await server.stop();
    certificates.remove();
  });

  it('mutual, with the authority of the service: every case comes out as with plain axios', async () => {
    const httpsAgent = new Agent({
      ca: pem('ca'),
      cert: pem('client'),
      key: pem('client-key'),
      keepAlive: true,
    });
    const plain = axios.create({ baseURL: `https://127.0.0.1:${server.port}`, proxy: false, httpsAgent });
    await using(contractClient(peer(), { tls: mutual() }), async (http) => {
      expect(await differing(server, plain, http)).toEqual([HOST_OVER_TLS]);
    });
    httpsAgent.destroy();
  });

  it('expects the certificate of the service, whatever the Host header says', async () => {
    // One authority for all services, the rest for one: both hold.
    const { caFile, ...own } = { ...mutual(), serverName: 'peer.service.consul' };
    await using(
      contractClient(peer(), { tls: { caFile }, services: { peer: { tls: own } } }),
      async (http) => {
        for (const headers of [{}, { host: 'www.shop.example' }, {}])
          expect((await http.get('/0', { headers })).status).toBe(200);
      },
    );
  });

  it('both transports show the certificate of the client, and expect the name of the service', async () => {
    const tls = { ...mutual(), serverName: 'peer.service.consul' };
    await using(contractClient(peer(), { tls }), async (http) => {
      const path = `/${cases.indexOf(SUBJECT)}`;
      expect((await http.get<unknown>(path)).data).toBe('client');
      expect((await http.get<unknown>(path, { insecureHTTPParser: false })).data).toBe('client');
    });
    await using(
      contractClient(peer(), { tls: { ...tls, serverName: 'another.service.consul' } }),
      async (http) => {
        for (const config of [{}, { insecureHTTPParser: false }])
          await expect(http.get('/0', config)).rejects.toMatchObject({
            code: 'ERR_TLS_CERT_ALTNAME_INVALID',
          });
      },
    );
  });

  it('refuses an authority that is not trusted, unless verify is false; and a service may have its own', async () => {
    const { caFile: _, ...own } = mutual();
    await using(contractClient(peer(), { tls: own }), async (http) => {
      await expect(http.post('/0')).rejects.toMatchObject({
        code: 'SELF_SIGNED_CERT_IN_CHAIN',
        message: expect.stringContaining('set clients.tls.caFile') as unknown,
      });
    });
    await using(
      contractClient(peer(), { services: { peer: { tls: { ...own, verify: false } } } }),
      async (http) => {
        expect((await http.get('/0')).status).toBe(200);
      },
    );
  });

  it('an httpsAgent of a request takes precedence', async () => {
    const httpsAgent = new Agent({ ca: pem('ca'), cert: pem('client'), key: pem('client-key') });
    await using(contractClient(peer()), async (http) => {
      expect((await http.get('/0', { httpsAgent })).status).toBe(200);
    });
    httpsAgent.destroy();
  });
});

describe('F57 over a unix socket', () => {
  it('socketPath is that of the request', async () => {
    const path = join(tmpdir(), `rookery-contract-${process.pid}.sock`);
    const server = await ContractServer.start(CASES, { path });
    const client = await contractClient({ address: '127.0.0.1', port: 1 });
    const at = CASES.findIndex(({ name }) => name === 'an empty config');
    const config = { socketPath: path };
    const plain = await axios
      .create({ baseURL: 'http://127.0.0.1:1', proxy: false })
      .get<unknown>(`/${at}`, config);
    const own = await client.axiosRef.get<unknown>(`/${at}`, config);
    expect([own.status, own.data]).toEqual([plain.status, plain.data]);
    expect(own.data).toEqual({ ok: true });
    await client.close();
    await server.stop();
  });
});
