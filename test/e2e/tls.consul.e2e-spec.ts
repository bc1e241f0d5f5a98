import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type AgentTlsOptions, ConsulClient } from '@rookery/consul';
import { ConsulAgent, findConsul } from '@rookery/test-support';

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
});
