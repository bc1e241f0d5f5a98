import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  ConsulClient,
  ConsulModule,
  ConsulRegistry,
  DiscoveryService,
  HealthService,
  RegistrationService,
  ServiceClientFactory,
} from '@rookery/consul';
import { startTestConsul, eventually, type TestConsul } from '@rookery/test-support';
import { createApp, rootModule, startApp } from './test-app.js';

const everything = (value: unknown): string => inspect(value, { depth: 20, showHidden: true, getters: true });

describe('ACL tokens with Consul', () => {
  const management = randomUUID();
  let consul: TestConsul;
  let token: string;
  let folder: string;

  const newToken = async (): Promise<string> => {
    const answer = await consul.request('PUT', '/v1/acl/token', { Policies: [{ Name: 'app' }] });
    return (answer.body as { SecretID: string }).SecretID;
  };
  const registered = async (service: string): Promise<boolean> =>
    ((await consul.request('GET', `/v1/health/service/${service}`)).body as unknown[]).length === 1;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'rookery-secrets-'));
    consul = await startTestConsul({ token: management });
    const Rules = 'service_prefix "" { policy = "write" } node_prefix "" { policy = "read" }';
    await consul.request('PUT', '/v1/acl/policy', { Name: 'app', Rules });
    token = await newToken();
  });
  afterAll(async () => {
    await consul.stop();
    rmSync(folder, { recursive: true });
  });

  it.each([
    [
      'service "narrow" { policy = "write" }',
      /Add service "wanted" \{ policy = "read" \} and node_prefix "" \{ policy = "read" \} to its policy/,
    ],
    [
      'service_prefix "" { policy = "read" }',
      /"wanted"\. Add node_prefix "" \{ policy = "read" \} to its policy/,
    ],
    [
      'service "other" { policy = "read" } node_prefix "" { policy = "read" }',
      /"wanted"\. Add service "wanted" \{ policy = "read" \} to its policy/,
    ],
  ])('a token with only %s: the error names the rule that is missing', async (Rules, message) => {
    const Name = `narrow-${randomUUID()}`;
    await consul.request('PUT', '/v1/acl/policy', { Name, Rules });
    const answer = await consul.request('PUT', '/v1/acl/token', { Policies: [{ Name }] });
    const { SecretID } = answer.body as { SecretID: string };
    for (const service of ['wanted', 'other'])
      await consul.request('PUT', '/v1/agent/service/register', { ID: service, Name: service, Port: 1 });
    const module = ConsulModule.forRoot({ agent: { url: consul.url, token: SecretID } });
    const { app } = await startApp(rootModule([module]));
    await expect(app.get(DiscoveryService).call('wanted', async () => 'called')).rejects.toThrow(message);
    await app.close();
    for (const service of ['wanted', 'other'])
      await consul.request('PUT', `/v1/agent/service/deregister/${service}`);
  });

  it('never appear in a log line, an error, or any object of ours', async () => {
    const module = ConsulModule.forRoot({
      agent: { url: consul.url, token },
      service: { name: 'secretive' },
    });
    const { app, logger } = await startApp(rootModule([module]));
    await eventually(() => registered('secretive'));
    const discovery = app.get(DiscoveryService);
    expect(await discovery.getInstances('secretive')).toHaveLength(1);

    const objects = [
      module,
      ...[
        ConsulClient,
        ConsulRegistry,
        DiscoveryService,
        RegistrationService,
        HealthService,
        ServiceClientFactory,
      ].map((type: unknown): unknown => app.get<unknown>(type as typeof DiscoveryService)),
    ];
    const waiting = app.get(ConsulClient).catalog.services({ index: '999999', wait: '2s' }); // a request in progress
    for (const object of objects) expect(everything(object)).not.toContain(token);
    await waiting;

    await consul.kill();
    const error: unknown = await app
      .get(ConsulClient)
      .agent.self()
      .catch((thrown: unknown) => thrown);
    expect(everything(error)).toContain('ECONNREFUSED');
    expect(everything(error)).not.toContain(token);
    await app.close();
    expect(logger.lines.length).toBeGreaterThan(0);
    expect(logger.lines.join('\n')).not.toContain(token);
    await consul.restart();
    const Rules = 'service_prefix "" { policy = "write" } node_prefix "" { policy = "read" }';
    await consul.request('PUT', '/v1/acl/policy', { Name: 'app', Rules });
    token = await newToken();
  });

  it('that are refused cause an error with a hint, without the token', async () => {
    const wrong = randomUUID();
    const client = ConsulClient.create({ url: consul.url, token: wrong }, {});
    const error: unknown = await client.agent.self().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'RK_ACL_DENIED', retryable: false, status: 403 });
    expect(everything(error)).toMatch(/ACL not found\. Consul does not know this token/);
    expect(everything(error)).not.toContain(wrong);
    await client.close();

    const module = ConsulModule.forRoot({
      agent: { url: consul.url, token: wrong },
      service: { name: 'denied' },
    });
    const { app, logger } = await startApp(rootModule([module]));
    await eventually(() => logger.matching(/^warn cannot keep "denied-.*ACL not found/).length > 0);
    expect(logger.lines.join('\n')).not.toContain(wrong);
    await app.close();
  });

  it('of wrong options are not shown either', async () => {
    const secret = 'hush-hush-token';
    const options = { agent: { token: secret, url: `http://me:${secret}@host:99999`, nonsense: 1 } };
    const failure: unknown = await createApp(rootModule([ConsulModule.forRoot(options)])).catch(
      (e: unknown) => e,
    );
    expect(everything(failure)).toContain('RK_CONFIG_INVALID');
    expect(everything(failure)).not.toContain(secret);
  });

  it('come from a file, and are reread when it is rotated', async () => {
    const tokenFile = join(folder, 'token');
    writeFileSync(tokenFile, `${token}\n`);
    const client = ConsulClient.create({ url: consul.url, tokenFile }, {});
    await client.agent.register({ Name: 'rotated' });
    const next = await newToken();
    const { body } = await consul.request('GET', '/v1/acl/token/self', undefined, {
      'x-consul-token': token,
    });
    await consul.request('DELETE', `/v1/acl/token/${(body as { AccessorID: string }).AccessorID}`);
    await eventually(() =>
      client.agent.register({ Name: 'rotated' }).then(
        () => undefined,
        () => true,
      ),
    );
    writeFileSync(tokenFile, next);
    await client.agent.register({ Name: 'rotated' }); // refused once, reread, accepted
    await client.close();
    token = next;
  });

  it('come from a provider, which is asked again when a token is refused', async () => {
    let asked = 0;
    const client = ConsulClient.create(
      { url: consul.url, tokenProvider: async () => (++asked === 1 ? randomUUID() : token) },
      {},
    );
    await client.agent.register({ Name: 'provided' });
    expect(asked).toBe(2);
    await client.agent.register({ Name: 'provided' });
    expect(asked).toBe(2);
    await client.close();
  });
});
