import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Controller, Get, type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  ConsulModule,
  type ConsulModuleOptions,
  DiscoveryEvents,
  DiscoveryService,
  RegistrationService,
} from '@rookery/consul';
import { eventually, requestTo, startTestConsul, type TestConsul } from '@rookery/test-support';
import { createApp, PLATFORMS, rootModule, startApp, type Platform, type TestApp } from './test-app.js';

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
    platform?: Platform,
  ): Promise<TestApp> =>
    startApp(
      rootModule(
        [ConsulModule.forRoot({ agent: { url: consul.url }, service: { name, ...service }, ...options })],
        { controllers: [WorkController] },
      ),
      platform ? { platform } : {},
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

  it('maintenance without a name is for all services of the app', async () => {
    const names = ['red', 'yellow'];
    const service = names.map((name, at) => ({ name, port: 4001 + at }));
    const { app } = await startApp(
      rootModule([ConsulModule.forRoot({ agent: { url: consul.url }, service })]),
    );
    const registration = app.get(RegistrationService);
    await registration.whenRegistered();
    const inMaintenance = async (): Promise<string[]> => {
      const checks = await Promise.all(names.map((name) => inRegistry(name)));
      return names.filter((_, at) => checks[at]?.some((check) => check.startsWith('_service_maintenance:')));
    };
    await registration.setMaintenance(true, 'being updated');
    await eventually(async () => (await inMaintenance()).length === names.length);
    await registration.setMaintenance(false);
    await eventually(async () => (await inMaintenance()).length === 0);
    await app.close();
  });

  it('maintenance of one service leaves the others in use', async () => {
    const names = ['blue', 'green'].map((name) => ({ name, port: name === 'blue' ? 4001 : 4002 }));
    const options = { agent: { url: consul.url }, service: names };
    const { app } = await startApp(rootModule([ConsulModule.forRoot(options)]));
    const registration = app.get(RegistrationService);
    await registration.whenRegistered();
    await registration.setMaintenance(true, 'being updated', { service: 'green' });
    const isMaintained = async (name: string): Promise<boolean> =>
      (await inRegistry(name)).some((check) => check.startsWith('_service_maintenance:'));
    await eventually(() => isMaintained('green'));
    expect(await isMaintained('blue')).toBe(false);
    await registration.setMaintenance(false);
    await eventually(async () => !(await isMaintained('green')));
    const calling = app.get(DiscoveryService).call('green', async () => 'called');
    await expect(calling).resolves.toBe('called');
    await registration.setMaintenance(true, 'disk is replaced', { service: 'green' });
    await eventually(async () => (await app.get(DiscoveryService).getInstances('green')).length === 0);
    await expect(app.get(DiscoveryService).call('green', async () => 'called')).rejects.toThrow(
      /The registry lists 1 maintenance. In maintenance: disk is replaced/,
    );
    await expect(registration.setMaintenance(true, 'x', { service: 'red' })).rejects.toThrow(
      /does not register "red". It registers "blue", "green"/,
    );
    await app.close();
  });

  it('does not say that it is registered where there is nothing to register', async () => {
    const module = rootModule([
      ConsulModule.forRoot({ agent: { url: consul.url }, service: { name: 'job' } }),
    ]);
    const context = await NestFactory.createApplicationContext(module, { logger: false });
    await expect(context.get(RegistrationService).whenRegistered()).rejects.toThrow(
      /nothing to register. "job": this app has no HTTP server/,
    );
    await context.close();
  });

  it('a second forRoot is refused', async () => {
    const module = (name: string): DynamicModule =>
      ConsulModule.forRoot({ agent: { url: consul.url }, service: { name } });
    const started = startApp(rootModule([module('one'), module('two')]));
    await expect(started).rejects.toThrow(/ConsulModule is imported 2 times.*in the root module/s);
  });

  it('enableTagOverride: tags that another client changes stay, also after a repair', async () => {
    const app = await start('tagged', {}, { tags: ['v1'], enableTagOverride: true });
    const registration = app.app.get(RegistrationService);
    await registration.whenRegistered();
    const id = registration.status.id ?? '';
    const read = async (): Promise<{ Tags: string[]; Port: number }> =>
      (await consul.request('GET', `/v1/agent/service/${id}`)).body as { Tags: string[]; Port: number };
    const change = (more: object): Promise<unknown> =>
      consul.request('PUT', '/v1/agent/service/register', {
        ...{ ID: id, Name: 'tagged', Port: app.port, Tags: ['canary'], EnableTagOverride: true },
        ...more,
      });
    await change({});
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect((await read()).Tags).toEqual(['canary']);
    await change({ Port: 1 });
    await eventually(async () => (await read()).Port === app.port);
    expect((await read()).Tags).toEqual(['canary']);
    await app.app.close();
  });

  it('an agent behind a path of a gateway, which ends long requests', async () => {
    /** Of the watch of a service, and of the app's own registration. */
    const waits = new Map<string, number>();
    const gateway = createServer((incoming, outgoing) => {
      const { pathname, search, searchParams } = new URL(incoming.url ?? '/', 'http://gateway');
      const wait = /^(\d+)ms$/.exec(searchParams.get('wait') ?? '')?.[1];
      const [, kind = ''] = /^\/consul\/v1\/(health|agent)\/service\//.exec(pathname) ?? [];
      if (wait !== undefined) waits.set(kind, Math.max(waits.get(kind) ?? 0, Number(wait)));
      if (!pathname.startsWith('/consul/v1/')) return outgoing.writeHead(404).end();
      const onward = requestTo(new URL(consul.url + pathname.slice('/consul'.length) + search), incoming);
      onward.on('error', () => outgoing.destroy());
      onward.on('response', (response) => {
        outgoing.writeHead(response.statusCode ?? 500, response.headers);
        response.pipe(outgoing);
      });
      return incoming.pipe(onward);
    });
    await new Promise<void>((resolve) => gateway.listen(0, '127.0.0.1', resolve));
    const { port } = gateway.address() as AddressInfo;
    const agent = { url: `http://127.0.0.1:${port}/consul`, maxWait: '2s' };
    const app = await start('behind-a-path', { agent });
    await app.app.get(RegistrationService).whenRegistered();
    await eventually(async () => (await statusOf(app, 'behind-a-path')) === 'passing');
    await eventually(() => waits.has('health') && waits.has('agent'));
    expect([waits.get('health'), waits.get('agent')]).toEqual([2_000, 2_000]);
    await app.app.close();
    expect(await inRegistry('behind-a-path')).toEqual([]);
    gateway.closeAllConnections();
    gateway.close();
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

  it.each(PLATFORMS)(
    'drain deregisters the app, fails its readiness and closes its connections, and register undoes it, on %s',
    async (platform) => {
      const app = await start('drained', { health: { cache: 0 } }, {}, platform);
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
    },
  );

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

  it("F13 Nest's own 503 while it closes comes only after the drain", async () => {
    const module = ConsulModule.forRoot({ agent: { url: consul.url }, service: { name: 'polite' } });
    const root = rootModule([module], { controllers: [WorkController] });
    const app = await NestFactory.create(root, { logger: false, return503OnClosing: true });
    await app.listen(0);
    const url = await app.getUrl();
    await app.get(RegistrationService).whenRegistered();
    const statuses: number[] = [];
    const call = async (): Promise<void> => {
      const { status } = await fetch(`${url}/work`);
      statuses.push(status);
    };
    await call();
    const closing = app.close();
    for (let n = 0; n < 10; n++) {
      await call();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await closing;
    expect(statuses).toEqual(Array.from({ length: 11 }, () => 200));
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
    const before = answered;
    await eventually(() => answered > before + 15);
    clearInterval(calling);
    await closing;
    expect(failed).toBe(0);
  });

  it('keeps maintenance that was set while the app did not listen yet', async () => {
    const module = ConsulModule.forRoot({ agent: { url: consul.url }, service: { name: 'starting' } });
    const { app } = await createApp(rootModule([module]));
    await app.init();
    const registration = app.get(RegistrationService);
    const registering = registration.register();
    await registration.setMaintenance(true, 'not yet');
    await app.listen(0);
    await registering;
    await registration.whenRegistered();
    const id = registration.status.id ?? '';
    await eventually(async () => (await inRegistry('starting')).includes(`_service_maintenance:${id}`));
    await app.close();
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
