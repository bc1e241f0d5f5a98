import { randomUUID, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { Server } from 'node:https';
import { connect, type TLSSocket } from 'node:tls';
import { Controller, Get, Req, type INestApplication } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import type { HttpService } from '@nestjs/axios';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  ConsulModule,
  connectHttpsOptions,
  getServiceClientToken,
  RegistrationService,
  ServiceClientsModule,
} from '@rookery/consul';
import {
  CertificateFolder,
  ConnectAuthority,
  ConsulAgent,
  eventually,
  figure,
  TestCertificates,
} from '@rookery/test-support';
import { firstValueFrom } from 'rxjs';
import { CallLoad } from './call-load.js';
import { createApp, rootModule } from '../e2e/test-app.js';

const MANAGEMENT = randomUUID();
const PER_SECOND = 200;

@Controller()
class Serials {
  /** The authorities that signed the certificates that both sides have shown: that of the caller, and of this app. */
  @Get('serials')
  serials(@Req() { socket }: IncomingMessage): { caller: string; own: string } {
    const tls = socket as TLSSocket;
    const own = tls.getCertificate() as { issuer: { CN: string } };
    return { caller: String(tls.getPeerCertificate().issuer.CN), own: own.issuer.CN };
  }
}

interface Token {
  readonly SecretID: string;
  readonly AccessorID: string;
}

describe('everything that is rotated, at 200 calls a second', () => {
  let files: CertificateFolder;
  let before: TestCertificates;
  let after: TestCertificates;
  let authority: ConnectAuthority;
  let consul: ConsulAgent;
  const apps: INestApplication[] = [];
  const createToken = async (): Promise<Token> =>
    (await consul.request('PUT', '/v1/acl/token', { Policies: [{ Name: 'apps' }] })).body as Token;

  beforeAll(async () => {
    [before, after] = await Promise.all([
      TestCertificates.create('localhost'),
      TestCertificates.create('localhost'),
    ]);
    files = new CertificateFolder(before, 'ca', 'server', 'server-key', 'client', 'client-key');
    authority = await ConnectAuthority.create();
    consul = await ConsulAgent.start({
      token: MANAGEMENT,
      certificates: files,
      config: {
        ...authority.config,
        acl: {
          ...{ enabled: true, default_policy: 'deny', token_ttl: '1s' },
          tokens: { master: MANAGEMENT, agent: MANAGEMENT },
        },
      },
    });
    const Rules = 'service_prefix "" { policy = "write" } node_prefix "" { policy = "read" }';
    await consul.request('PUT', '/v1/acl/policy', { Name: 'apps', Rules });
    await consul.request('POST', '/v1/connect/intentions', {
      ...{ SourceName: 'storefront', DestinationName: 'inventory' },
      ...{ SourceType: 'consul', Action: 'allow' },
    });
  });
  afterAll(async () => {
    await Promise.all(apps.map((app) => app.close()));
    await consul.stop();
    for (const each of [before, after]) each.remove();
    files.remove();
  });

  const shownByAgent = async (): Promise<string> => {
    const options = { ca: after.pem('ca'), cert: after.pem('client'), key: after.pem('client-key') };
    const socket = connect({ ...options, host: '127.0.0.1', port: Number(new URL(consul.url).port) });
    await once(socket, 'secureConnect');
    const { fingerprint } = socket.getPeerCertificate();
    socket.destroy();
    return fingerprint;
  };

  const start = async (name: string): Promise<INestApplication> => {
    const consulModule = ConsulModule.forRoot({
      agent: {
        url: consul.url,
        tokenFile: files.file('token'),
        tls: { caFile: files.file('ca'), certFile: files.file('client'), keyFile: files.file('client-key') },
      },
      service: { name, check: { type: 'http', interval: '1s' } },
      connect: { native: true },
      shutdown: { drainTimeout: 0 },
    });
    const clients = ServiceClientsModule.forFeature(['inventory']);
    const module = rootModule([consulModule, clients], { controllers: [Serials] });
    const { app } = await createApp(module, 'express', connectHttpsOptions());
    apps.push(app);
    await app.listen(0);
    await app.get(RegistrationService).whenRegistered();
    return app;
  };

  it('F46 token, agent certificates, leaf and root: no call fails, and nothing is left behind', async () => {
    const first = await createToken();
    files.put('token', first.SecretID);
    const inventory = await start('inventory');
    const storefront = await start('storefront');
    let connections = 0;
    (inventory.getHttpServer() as Server).on('secureConnection', () => connections++);
    const client = storefront.get<HttpService>(getServiceClientToken('inventory'));
    const seen: { caller: string; own: string }[] = [];
    const call = async (): Promise<undefined> => {
      seen.push((await firstValueFrom(client.get<{ caller: string; own: string }>('/serials'))).data);
      return undefined;
    };
    await eventually(() => call().then(() => true));
    const load = new CallLoad(call).start(PER_SECOND);
    const callsMore = async (count: number): Promise<void> => {
      const from = load.calls.length;
      await eventually(() => load.calls.length > from + count, { within: 30_000 });
    };
    await callsMore(100);

    const second = await createToken();
    files.put('token', second.SecretID);
    await callsMore(400);
    await consul.request('DELETE', `/v1/acl/token/${first.AccessorID}`);
    await callsMore(400);

    files.put('ca', `${before.pem('ca')}\n${after.pem('ca')}`);
    process.kill(Number(consul.pid), 'SIGHUP');
    await callsMore(300);
    files.take(after, 'server', 'server-key', 'client', 'client-key');
    process.kill(Number(consul.pid), 'SIGHUP');
    await callsMore(400);

    await eventually(
      async () => (await shownByAgent()) === new X509Certificate(after.pem('server')).fingerprint,
    );

    const next = await ConnectAuthority.create();
    const [oldIssuer] = seen.map(({ own: issuer }) => issuer);
    const rotatedAt = performance.now();
    expect((await consul.request('PUT', '/v1/connect/ca/configuration', next.provider)).status).toBe(200);
    await eventually(
      () => {
        const { caller, own: issuer } = seen.at(-1) ?? {};
        return caller !== oldIssuer && issuer !== oldIssuer;
      },
      // Agents spread their new leaves over half a minute.
      { within: 60_000 },
    );
    const rotatedMs = Math.round(performance.now() - rotatedAt);
    await callsMore(600);
    // Connections that were open answer some calls while others are made in their place.
    await eventually(() => new Set(seen.slice(-300).map((each) => JSON.stringify(each))).size === 1, {
      within: 30_000,
    });
    await load.stop();
    figure(
      'F46',
      `${load.failures.length} of ${load.calls.length} calls failed while the token, the certificates of the agent, the leaves and the root were renewed; the leaves of both were new ${rotatedMs} ms after the root; ${connections} connections`,
    );
    expect(load.failures).toEqual([]);

    await Promise.all(apps.splice(0).map((app) => app.close()));
    for (const name of ['inventory', 'storefront'])
      expect((await consul.request('GET', `/v1/health/service/${name}`)).body).toEqual([]);
  }, 180_000);
});
