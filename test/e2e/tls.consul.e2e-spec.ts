import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type AgentTlsOptions, ConsulClient } from '@rookery/consul';
import { ConsulAgent, eventually, findConsul, TestCertificates, thrownBy } from '@rookery/test-support';

describe('TLS to a real Consul that wants a client certificate', () => {
  let folder: string;
  let consul: ConsulAgent;
  const pem = (name: string): string => join(folder, `${name}.pem`);

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'rookery-tls-'));
    const tls = (...args: string[]): unknown =>
      execFileSync(findConsul() ?? 'consul', ['tls', ...args], { cwd: folder });
    tls('ca', 'create');
    tls('cert', 'create', '-server', '-dc', 'dc1');
    tls('cert', 'create', '-client', '-dc', 'dc1');
    consul = await ConsulAgent.start({
      https: true,
      config: {
        ca_file: pem('consul-agent-ca'),
        cert_file: pem('dc1-server-consul-0'),
        key_file: pem('dc1-server-consul-0-key'),
        verify_incoming_https: true,
      },
    });
  });
  afterAll(async () => {
    await consul.stop();
    rmSync(folder, { recursive: true });
  });

  const leader = async (
    tls: AgentTlsOptions,
    environment: NodeJS.ProcessEnv = {},
  ): Promise<string | undefined> => {
    const client = ConsulClient.create({ url: `https://127.0.0.1:${consul.ports.https}`, tls }, environment);
    try {
      return await client.status.leader();
    } finally {
      await client.close();
    }
  };
  const own = (): AgentTlsOptions => ({
    certFile: pem('dc1-client-consul-0'),
    keyFile: pem('dc1-client-consul-0-key'),
  });

  it('works with CA and client certificate, from options and from the environment', async () => {
    expect(await leader({ caFile: pem('consul-agent-ca'), ...own() })).toMatch(/^127\.0\.0\.1:/);
    const environment = {
      CONSUL_CACERT: pem('consul-agent-ca'),
      CONSUL_CLIENT_CERT: pem('dc1-client-consul-0'),
      CONSUL_CLIENT_KEY: pem('dc1-client-consul-0-key'),
    };
    expect(await leader({}, environment)).toMatch(/^127\.0\.0\.1:/);
    expect(
      await leader({ caFile: pem('consul-agent-ca'), serverName: 'server.dc1.consul', ...own() }),
    ).toBeDefined();
    expect(await leader({ verify: false, ...own() })).toBeDefined();
  });

  it('refuses an unknown CA, another server name, and a missing client certificate', async () => {
    const refused = (hint: RegExp): object => ({
      code: 'RK_REGISTRY_UNREACHABLE',
      retryable: true,
      message: expect.stringMatching(hint) as unknown,
    });
    await expect(leader(own())).rejects.toMatchObject(refused(/set agent\.tls\.caFile/));
    await expect(
      leader({ caFile: pem('consul-agent-ca'), serverName: 'elsewhere', ...own() }),
    ).rejects.toMatchObject(refused(/set agent\.tls\.serverName/));
    await expect(leader({ caFile: pem('consul-agent-ca') })).rejects.toMatchObject(
      refused(/Set agent\.tls\.certFile/),
    );
  });

  it.each([
    ['https', 'http', /does not speak TLS at this port: use http:/],
    ['http', 'https', /speaks TLS at this port: use https:/],
  ] as const)('%s to a port of %s: says which to use', async (scheme, port, hint) => {
    const client = ConsulClient.create({ url: `${scheme}://127.0.0.1:${consul.ports[port]}` }, {});
    await expect(client.status.leader()).rejects.toThrow(hint);
    await client.close();
  });

  it('says once that certificates are not verified, whoever asks how often', async () => {
    const lines: string[] = [];
    Logger.overrideLogger({
      log: () => undefined,
      error: () => undefined,
      warn: (text: string) => void lines.push(text),
    });
    for (let n = 0; n < 3; n++)
      await ConsulClient.create({ url: 'https://unverified:8501', tls: { verify: false } }, {}).close();
    // Without TLS there is nothing to verify.
    await ConsulClient.create({ url: 'http://unverified:8500', tls: { verify: false } }, {}).close();
    Logger.overrideLogger(['error', 'warn', 'log']);
    expect(lines).toEqual([
      expect.stringMatching(
        /agent\.tls\.verify is false: any server can answer as https:\/\/unverified:8501, and gets the token.*Set agent\.tls\.caFile/,
      ),
    ]);
  });
});

describe('certificates to a real Consul that are renewed', () => {
  it('are in use for the next connection, without a restart of the app', async () => {
    const [before, after] = await Promise.all([TestCertificates.create('a'), TestCertificates.create('b')]);
    const folder = mkdtempSync(join(tmpdir(), 'rookery-tls-'));
    const names = ['ca', 'server', 'server-key', 'client', 'client-key'] as const;
    const put = (from: TestCertificates): void => {
      for (const name of names) copyFileSync(from.file(name), join(folder, `${name}.pem`));
    };
    put(before);
    const inFolder = { file: (name: (typeof names)[number]) => join(folder, `${name}.pem`) };
    const agent = await ConsulAgent.start({ certificates: inFolder });
    const tls = {
      caFile: inFolder.file('ca'),
      certFile: inFolder.file('client'),
      keyFile: inFolder.file('client-key'),
    };
    const client = ConsulClient.create({ url: agent.url, tls }, {});
    const stale = ConsulClient.create({ url: agent.url, tls: { ...tls, caFile: before.file('ca') } }, {});
    expect(await client.status.leader()).toBeDefined();
    expect(await stale.status.leader()).toBeDefined();
    put(after);
    await agent.restart();
    expect(await eventually(() => client.status.leader())).toBeDefined();
    // One whose authority was not renewed is refused, so that it is not trust in anyone.
    expect(String(await thrownBy(() => stale.status.leader()))).toMatch(/set agent\.tls\.caFile/);
    await client.close();
    await stale.close();
    await agent.stop();
    rmSync(folder, { recursive: true });
    for (const each of [before, after]) each.remove();
  });
});
