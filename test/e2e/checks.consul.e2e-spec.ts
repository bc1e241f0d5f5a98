import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type CheckOptions, ConsulModule, type HealthCheck, RegistrationService } from '@rookery/consul';
import { ConsulAgent, eventually, TestCertificates } from '@rookery/test-support';
import { rootModule, startApp } from './test-app.js';

const interval = '1s';

describe('every kind of check, on a real agent', () => {
  let agent: ConsulAgent;
  beforeAll(async () => {
    agent = await ConsulAgent.start({ config: { enable_script_checks: true } });
  });
  afterAll(() => agent.stop());

  const checks = async (name: string): Promise<HealthCheck[]> => {
    const { body } = await agent.request('GET', '/v1/agent/checks');
    return Object.values(body as Record<string, HealthCheck>).filter(
      ({ ServiceName }) => ServiceName === name,
    );
  };

  it('is registered as configured, several of them on one service, and none causes a repair', async () => {
    const check: CheckOptions[] = [
      { type: 'http', interval, notes: 'the usual one' },
      {
        type: 'http',
        interval,
        id: 'echo',
        path: '/health/live',
        method: 'GET',
        body: 'x',
        headers: { 'X-A': 'b' },
      },
      { type: 'tcp', interval, successBeforePassing: 2, failuresBeforeCritical: 3 },
      { type: 'grpc', interval, address: '127.0.0.1:1', status: 'critical', name: 'gRPC of a peer' },
      { type: 'ttl', ttl: '30s', deregisterCriticalServiceAfter: '5m' },
      { type: 'script', interval, args: ['/bin/sh', '-c', 'echo fine; exit 1'] },
      { type: 'alias', aliasService: 'absent' },
    ];
    const module = ConsulModule.forRoot({
      agent: { url: agent.url },
      service: { name: 'checked', id: 'checked', check },
    });
    const { app, logger } = await startApp(rootModule([module]));
    await app.get(RegistrationService).whenRegistered();
    const found = (await checks('checked')).map(({ CheckID, Type }) => `${CheckID} ${Type}`).sort();
    expect(found).toEqual([
      'checked:alias-7 alias',
      'checked:echo http',
      'checked:grpc-4 grpc',
      'checked:http-1 http',
      'checked:script-6 script',
      'checked:tcp-3 tcp',
      'checked:ttl-5 ttl',
    ]);
    const statusOf = async (id: string): Promise<string | undefined> =>
      (await checks('checked')).find(({ CheckID }) => CheckID === `checked:${id}`)?.Status;
    await eventually(async () => (await statusOf('script-6')) === 'warning');
    await eventually(async () => (await statusOf('echo')) === 'passing');
    await eventually(async () => (await statusOf('alias-7')) === 'critical');
    await eventually(async () => (await statusOf('ttl-5')) === 'passing');
    expect((await checks('checked')).find(({ CheckID }) => CheckID === 'checked:http-1')?.Notes).toBe(
      'the usual one',
    );
    // The agent shows the registration as it was requested.
    expect(logger.matching(/registering again/)).toEqual([]);
    await app.close();
    expect(await checks('checked')).toEqual([]);
  });

  it('is there again after the agent has lost it, also a script and an alias', async () => {
    const check: CheckOptions[] = [
      { type: 'script', interval, args: ['/bin/sh', '-c', 'echo fine; exit 1'] },
      { type: 'alias', aliasService: 'watched' },
    ];
    const module = ConsulModule.forRoot({
      agent: { url: agent.url },
      service: { name: 'lost', id: 'lost', port: 4711, check },
    });
    const { app } = await startApp(rootModule([module]));
    await app.get(RegistrationService).whenRegistered();
    const statuses = async (): Promise<string> =>
      (await checks('lost'))
        .map(({ CheckID, Status }) => `${CheckID} ${Status}`)
        .sort()
        .join();
    const putWatched = (Status: string): Promise<unknown> =>
      agent.request('PUT', '/v1/agent/service/register', { Name: 'watched', Check: { TTL: '1h', Status } });
    await putWatched('passing');
    await eventually(async () => (await statuses()) === 'lost:alias-2 passing,lost:script-1 warning');
    await agent.restart();
    await putWatched('critical');
    await eventually(async () => (await statuses()) === 'lost:alias-2 critical,lost:script-1 warning', {
      within: 30_000,
    });
    await app.close();
  });

  it('asks over TLS with https, and believes only a certificate that it knows, unless told otherwise', async () => {
    const certificates = await TestCertificates.create();
    const [key, cert] = [certificates.pem('server-key'), certificates.pem('server')];
    const check: CheckOptions[] = [
      { type: 'https', id: 'strict', interval, status: 'passing' },
      { type: 'https', id: 'trusting', interval, tlsSkipVerify: true },
    ];
    const module = ConsulModule.forRoot({ agent: { url: agent.url }, service: { name: 'vault', check } });
    const { app } = await startApp(rootModule([module]), { https: { key, cert } });
    await app.get(RegistrationService).whenRegistered();
    const checkOf = async (id: string): Promise<HealthCheck | undefined> =>
      (await checks('vault')).find(({ CheckID }) => CheckID.endsWith(`:${id}`));
    // The output, not the status, tells that the agent has asked: each check is registered as passing.
    const asked = async (id: string): Promise<HealthCheck | undefined> => {
      await eventually(async () => (await checkOf(id))?.Output !== '');
      return checkOf(id);
    };
    const [trusting, strict] = [await asked('trusting'), await asked('strict')];
    expect([trusting?.Status, strict?.Status]).toEqual(['passing', 'critical']);
    expect(trusting?.Output).toMatch(/^HTTP GET https:.*: 200 OK/);
    expect(strict?.Output).toMatch(/x509/);
    await app.close();
    certificates.remove();
  });

  it('F17 is not taken over from another service that has the same check id', async () => {
    await agent.request('PUT', '/v1/agent/service/register', {
      Name: 'owner',
      Check: { CheckID: 'taken:ttl', TTL: '1h', Status: 'passing' },
    });
    const service = { name: 'taker', id: 'taken', check: { type: 'ttl' } } as const;
    const { app, logger } = await startApp(
      rootModule([ConsulModule.forRoot({ agent: { url: agent.url }, service })]),
    );
    await eventually(
      () => logger.matching(/the check "taken:ttl" belongs to the service "owner"/).length > 0,
    );
    expect((await checks('owner')).map(({ CheckID }) => CheckID)).toEqual(['taken:ttl']);
    await agent.request('PUT', '/v1/agent/service/deregister/owner');
    await app.get(RegistrationService).whenRegistered();
    await app.close();
  });

  it('that a previous process left critical passes at once when the app is back', async () => {
    const service = {
      name: 'phoenix',
      id: 'phoenix',
      port: 4711,
      check: { type: 'ttl', ttl: '3s' },
    } as const;
    await agent.request('PUT', '/v1/agent/service/register', {
      ID: 'phoenix',
      Name: 'phoenix',
      Port: 4711,
      Check: { CheckID: 'phoenix:ttl', TTL: '3s' },
    });
    const { app } = await startApp(
      rootModule([ConsulModule.forRoot({ agent: { url: agent.url }, service })]),
    );
    await app.get(RegistrationService).whenRegistered();
    await eventually(async () => (await checks('phoenix'))[0]?.Status === 'passing');
    await app.close();
  });
});
