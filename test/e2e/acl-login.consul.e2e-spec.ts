import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ConsulClient, ConsulModule, DiscoveryService, RegistrationService } from '@rookery/consul';
import { ConsulAgent, eventually, KubernetesApi, TestCertificates, thrownBy } from '@rookery/test-support';
import { createApp, rootModule } from './test-app.js';

const MANAGEMENT = randomUUID();

interface Token {
  readonly AccessorID: string;
  readonly AuthMethod?: string;
}

describe('a token by a login', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  let agent: ConsulAgent;
  let folder: string;

  /** What a platform gives to its workload. */
  const jwtFor = (service: string, audience = 'consul'): string => {
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const now = Math.floor(Date.now() / 1_000);
    const content = `${part({ alg: 'ES256', typ: 'JWT' })}.${part({ iss: 'platform', aud: audience, sub: service, service, iat: now, nbf: now - 5, exp: now + 300 })}`;
    const signature = sign('sha256', Buffer.from(content), { key: privateKey, dsaEncoding: 'ieee-p1363' });
    return `${content}.${signature.toString('base64url')}`;
  };
  const tokens = async (method = 'platform'): Promise<Token[]> => {
    const { body } = await agent.request('GET', '/v1/acl/tokens');
    return (body as Token[]).filter(({ AuthMethod }) => AuthMethod === method);
  };
  const forget = async (): Promise<void> => {
    for (const { AccessorID } of await tokens()) await agent.request('DELETE', `/v1/acl/token/${AccessorID}`);
  };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'rookery-login-'));
    agent = await ConsulAgent.start({ token: MANAGEMENT });
    await agent.request('PUT', '/v1/acl/auth-method', {
      Name: 'platform',
      Type: 'jwt',
      MaxTokenTTL: '1m',
      Config: {
        JWTValidationPubKeys: [publicKey.export({ type: 'spki', format: 'pem' })],
        BoundAudiences: ['consul'],
        ClaimMappings: { service: 'service' },
      },
    });
    await agent.request('PUT', '/v1/acl/binding-rule', {
      AuthMethod: 'platform',
      BindType: 'service',
      BindName: '${value.service}',
    });
  });
  afterAll(async () => {
    await agent.stop();
    rmSync(folder, { recursive: true });
  });

  it('registers and discovers; it is replaced when it is deleted, and deleted when the app is closed', async () => {
    const bearerTokenFile = join(folder, 'jwt');
    writeFileSync(bearerTokenFile, `${jwtFor('storefront')}\n`);
    const login = { method: 'platform', bearerTokenFile, meta: { pod: 'shop/storefront-1' } };
    const consul = ConsulModule.forRoot({
      agent: { url: agent.url, login },
      service: { name: 'storefront', check: { type: 'ttl', ttl: '10s' } },
    });
    const { app, logger } = await createApp(rootModule([consul]));
    await app.listen(0);
    await app.get(RegistrationService).whenRegistered();
    await eventually(async () => (await app.get(DiscoveryService).getInstances('storefront')).length === 1);
    const made = await tokens();
    expect(made).toHaveLength(1);

    await forget();
    // Its heartbeats and reads are refused, and one login serves all of them.
    await eventually(async () => (await tokens()).length > 0, { within: 30_000 });
    await eventually(() => logger.matching(/the token has changed/).length > 0, { within: 30_000 });
    const [next] = await tokens();
    expect(next?.AccessorID).not.toBe(made[0]?.AccessorID);
    expect(await tokens()).toHaveLength(1);

    await app.close();
    expect(await tokens()).toEqual([]);
    const { body } = await agent.request('GET', '/v1/health/service/storefront');
    expect(body).toEqual([]);
  }, 90_000);

  it('is that of the service account of its pod, by the auth method of Kubernetes', async () => {
    const certificates = await TestCertificates.create('kubernetes');
    const [bearer, other] = [jwtFor('storefront'), jwtFor('warehouse')];
    const kubernetes = await KubernetesApi.start(certificates, new Map([[bearer, 'storefront']]));
    const made = await agent.request('PUT', '/v1/acl/auth-method', {
      Name: 'cluster',
      Type: 'kubernetes',
      Config: {
        Host: kubernetes.url,
        CACert: certificates.pem('ca'),
        ServiceAccountJWT: jwtFor('consul'),
      },
    });
    expect(made.status).toBe(200);
    await agent.request('PUT', '/v1/acl/binding-rule', {
      AuthMethod: 'cluster',
      BindType: 'service',
      BindName: '${serviceaccount.name}',
    });
    const bearerTokenFile = join(folder, 'service-account');
    writeFileSync(bearerTokenFile, bearer);
    const consul = ConsulModule.forRoot({
      agent: { url: agent.url, login: { method: 'cluster', bearerTokenFile } },
      service: { name: 'storefront', check: { type: 'ttl', ttl: '10s' } },
    });
    const { app } = await createApp(rootModule([consul]));
    await app.listen(0);
    await app.get(RegistrationService).whenRegistered();
    await eventually(async () => (await app.get(DiscoveryService).getInstances('storefront')).length === 1);
    expect(await tokens('cluster')).toHaveLength(1);
    await app.close();
    expect(await tokens('cluster')).toEqual([]);

    const stranger = ConsulClient.create({
      url: agent.url,
      login: { method: 'cluster', bearerToken: () => other },
    });
    expect(await thrownBy(() => stranger.catalog.services())).toMatchObject({
      code: 'RK_ACL_DENIED',
      message: expect.stringMatching(/the auth method "cluster" refuses the login/),
    });
    await stranger.close();
    kubernetes.stop();
    certificates.remove();
  }, 60_000);

  it('is valid for as long as the auth method says, and is shared by requests that begin together', async () => {
    const bearerToken = (): string => jwtFor('storefront');
    const client = ConsulClient.create({ url: agent.url, login: { method: 'platform', bearerToken } });
    await Promise.all(Array.from({ length: 40 }, () => client.catalog.services()));
    expect(await tokens()).toHaveLength(1);
    const { validForMs } = await client.acl.login({ method: 'platform', bearerToken: bearerToken() });
    expect(validForMs).toBe(60_000);
    await client.close();
    await forget();
  });

  it('that the auth method refuses is an error that says why, and shows no secret', async () => {
    const bearer = jwtFor('storefront', 'another');
    const refused = ConsulClient.create({
      url: agent.url,
      login: { method: 'platform', bearerToken: () => bearer },
    });
    const error = await thrownBy(() => refused.catalog.services());
    expect(error).toMatchObject({ code: 'RK_ACL_DENIED', retryable: true });
    expect(error.message).toMatch(
      /the auth method "platform" refuses the login: .*aud claim does not match any bound audience/,
    );
    expect(JSON.stringify(error) + String(error.stack)).not.toContain(bearer);
    await refused.close();

    const unknown = ConsulClient.create({
      url: agent.url,
      login: { method: 'nowhere', bearerToken: () => bearer },
    });
    expect(await thrownBy(() => unknown.catalog.services())).toMatchObject({ code: 'RK_ACL_DENIED' });
    await unknown.close();

    const absent = ConsulClient.create({
      url: agent.url,
      login: { method: 'platform', bearerTokenFile: join(folder, 'absent') },
    });
    expect(await thrownBy(() => absent.catalog.services())).toMatchObject({
      code: 'RK_ACL_DENIED',
      message: expect.stringMatching(/the login by the auth method "platform" failed/),
    });
    await absent.close();

    const away = ConsulClient.create({
      url: 'http://127.0.0.1:1',
      login: { method: 'platform', bearerToken: () => bearer },
    });
    expect(await thrownBy(() => away.catalog.services())).toMatchObject({ code: 'RK_REGISTRY_UNREACHABLE' });
    await away.close();
  });

  it('wrong options are named', () => {
    const create = (login: unknown) => () => ConsulClient.create({ login } as never);
    expect(create({})).toThrow(/agent\.login\.method/);
    expect(create({ method: 'x', bearerTokenFile: '/a', bearerToken: () => 'b' })).toThrow(
      /agent\.login.*bearerTokenFile or bearerToken, not both/,
    );
    expect(() => ConsulClient.create({ token: 'a', login: { method: 'x' } })).toThrow(
      /agent\.token, agent\.login.*use only one of them/,
    );
  });
});
