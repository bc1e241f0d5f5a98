import { Controller, Get } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  ConsulModule,
  type ConsulModuleOptions,
  DiscoveryEvents,
  DiscoveryService,
  RegistrationService,
} from '@rookery/consul';
import { eventually, startTestConsul, type TestConsul } from '@rookery/test-support';
import { createApp, rootModule, startApp, type TestApp } from './test-app.js';

@Controller()
class WorkController {
  @Get('work')
  work(): string {
    return 'done';
  }
}

describe('RegistrationService', () => {
  let consul: TestConsul;
  beforeAll(async () => {
    consul = await startTestConsul();
  });
  afterAll(() => consul.stop());

  const start = (
    name: string,
    options: Partial<ConsulModuleOptions> = {},
    service: object = {},
  ): Promise<TestApp> =>
    startApp(
      rootModule(
        [ConsulModule.forRoot({ agent: { url: consul.url }, service: { name, ...service }, ...options })],
        { controllers: [WorkController] },
      ),
    );
  const statusOf = async (app: TestApp, name: string): Promise<string | undefined> => {
    const { instances } = await new Promise<{ instances: readonly { status: string }[] }>((resolve) => {
      app.app
        .get(DiscoveryService)
        .watch(name)
        .subscribe((snapshot) => resolve(snapshot));
    });
    return instances[0]?.status;
  };
  const inRegistry = async (name: string): Promise<string[]> => {
    const { body } = await consul.request('GET', `/v1/health/service/${name}`);
    return (body as { Checks: { CheckID: string }[] }[]).flatMap(({ Checks }) =>
      Checks.map(({ CheckID }) => CheckID),
    );
  };

  it('maintenance takes the app out of use and back, and survives the loss of its registration', async () => {
    const app = await start('maintained');
    const registration = app.app.get(RegistrationService);
    await registration.whenRegistered();
    await registration.setMaintenance(true, 'being updated');
    await eventually(async () => (await statusOf(app, 'maintained')) === 'maintenance');
    const id = registration.status.id ?? '';
    await consul.request('PUT', `/v1/agent/service/deregister/${id}`);
    const isMaintained = async (): Promise<boolean> =>
      (await inRegistry('maintained')).includes(`_service_maintenance:${id}`);
    await eventually(isMaintained);
    await registration.setMaintenance(false);
    await eventually(async () => !(await isMaintained()));
    await eventually(async () => (await statusOf(app, 'maintained')) === 'passing');
    await app.app.close();
  });

  it('maintenance that an operator set survives a repair', async () => {
    const app = await start('operated');
    const registration = app.app.get(RegistrationService);
    await registration.whenRegistered();
    const id = registration.status.id ?? '';
    await consul.request('PUT', `/v1/agent/service/maintenance/${id}?enable=true&reason=operator`);
    const isMaintained = async (): Promise<boolean> =>
      (await inRegistry('operated')).includes(`_service_maintenance:${id}`);
    await eventually(isMaintained);
    // The registrar must have seen it before another client removes the checks, and with them the maintenance.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const definition = { ID: id, Name: 'operated', Port: app.port };
    await consul.request('PUT', '/v1/agent/service/register?replace-existing-checks=true', definition);
    await eventually(async () => (await inRegistry('operated')).includes(`${id}:http`));
    await eventually(isMaintained);
    await app.app.close();
  });

  it('drain deregisters the app, fails its readiness and closes its connections, and register undoes it', async () => {
    const app = await start('drained', { health: { cache: 0 } });
    const registration = app.app.get(RegistrationService);
    await registration.whenRegistered();
    await fetch(`${app.url}/work`);
    await registration.drain();
    expect(await inRegistry('drained')).toEqual([]);
    expect((await fetch(`${app.url}/health/ready`)).status).toBe(503);
    expect((await fetch(`${app.url}/health/live`)).status).toBe(200);
    const answer = await fetch(`${app.url}/work`);
    expect([answer.status, answer.headers.get('connection')]).toEqual([200, 'close']);
    expect(registration.status.state).toBe('deregistered');
    await registration.register();
    await registration.whenRegistered();
    expect((await fetch(`${app.url}/health/ready`)).status).toBe(200);
    expect((await fetch(`${app.url}/work`)).headers.get('connection')).not.toBe('close');
    await app.app.close();
  });

  it('registers only when register() is called, with register: false', async () => {
    const app = await start('manual', {}, { register: 'manual' });
    const registration = app.app.get(RegistrationService);
    expect(registration.status).toMatchObject({ state: 'idle' });
    await registration.register();
    await registration.whenRegistered();
    expect(await inRegistry('manual')).not.toEqual([]);
    await app.app.close();
  });

  it('waits for the registrationDelay', async () => {
    const app = await start('warming', {}, { registrationDelay: '700ms' });
    const listening = performance.now();
    await app.app.get(RegistrationService).whenRegistered();
    expect(performance.now() - listening).toBeGreaterThan(600);
    await app.app.close();
  });

  it('keeps its registration with shutdown.deregister: false', async () => {
    const app = await start('staying', { shutdown: { deregister: false } });
    const registration = app.app.get(RegistrationService);
    await registration.whenRegistered();
    const id = registration.status.id ?? '';
    await app.app.close();
    expect(await inRegistry('staying')).not.toEqual([]);
    await consul.request('PUT', `/v1/agent/service/deregister/${id}`);
  });

  it('F13 an app that never listened can be closed although register() was called', async () => {
    const module = ConsulModule.forRoot({ agent: { url: consul.url }, service: { name: 'unheard' } });
    const { app } = await createApp(rootModule([module]));
    await app.init();
    const registering = app.get(RegistrationService).register();
    registering.catch(() => undefined);
    await app.close();
    await expect(registering).rejects.toThrow(/shutting down/);
  });

  it('F13 the shutdown does not wait for a drain in progress', async () => {
    const app = await start('endless', { shutdown: { drainTimeout: '1h', timeout: '1s' } });
    const registration = app.app.get(RegistrationService);
    await registration.whenRegistered();
    const calling = setInterval(() => void fetch(`${app.url}/work`).catch(() => undefined), 50);
    const draining = registration.drain();
    await new Promise((resolve) => setTimeout(resolve, 300));
    await app.app.close();
    clearInterval(calling);
    await expect(draining).resolves.toBeUndefined();
  });

  it('F12 an app that has just deregistered still waits for its callers, and a path that begins like the health path is a call', async () => {
    const app = await start('healthcare', { health: { path: '/wor' } });
    const registration = app.app.get(RegistrationService);
    await registration.whenRegistered();
    let failed = 0;
    let answered = 0;
    const call = async (): Promise<void> => {
      const { ok } = await fetch(`${app.url}/work`);
      if (ok) answered++;
      else failed++;
    };
    const calling = setInterval(() => void call().catch(() => failed++), 50);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await registration.deregister();
    const closing = app.app.close();
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    clearInterval(calling);
    await closing;
    expect(failed).toBe(0);
    expect(answered).toBeGreaterThan(15);
  });

  it('keeps maintenance that was set before it was registered', async () => {
    const app = await start('early', {}, { register: 'manual' });
    const registration = app.app.get(RegistrationService);
    await registration.setMaintenance(true, 'not yet');
    await registration.register();
    await registration.whenRegistered();
    const id = registration.status.id ?? '';
    await eventually(async () => (await inRegistry('early')).includes(`_service_maintenance:${id}`));
    await app.app.close();
  });

  it('publishes what happens as events', async () => {
    const app = await start('eventful', {}, { register: 'manual' });
    const types: string[] = [];
    app.app.get(DiscoveryEvents).events$.subscribe(({ type, timestamp }) => {
      expect(Math.abs(Date.now() - timestamp)).toBeLessThan(60_000);
      types.push(type);
    });
    const registration = app.app.get(RegistrationService);
    await registration.register();
    await registration.whenRegistered();
    await consul.request('PUT', `/v1/agent/service/deregister/${registration.status.id}`);
    await eventually(() => types.includes('registration.restored'));
    await registration.deregister();
    expect(types).toEqual([
      'registration.registered',
      'registration.lost',
      'registration.restored',
      'registration.deregistered',
    ]);
    await app.app.close();
  });
});
