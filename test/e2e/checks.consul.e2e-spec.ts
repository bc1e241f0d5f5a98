import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type CheckOptions, ConsulModule, type HealthCheck, RegistrationService } from '@rookery/consul';
import { ConsulAgent, eventually } from '@rookery/test-support';
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
