import { hostname } from 'node:os';
import { Controller, Get, Injectable, type CanActivate } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  ConsulModule,
  DiscoveryService,
  type HealthCheck,
  HealthContributor,
  RegistrationService,
  type ServiceEntry,
} from '@rookery/consul';
import { startTestConsul, eventually, freePorts, type TestConsul } from '@rookery/test-support';
import { createApp, PLATFORMS, rootModule, startApp, type TestApp } from './test-app.js';

@Injectable()
class Database {
  state: 'up' | 'degraded' | 'down' = 'up';

  constructor(private readonly indicators: HealthIndicatorService) {}

  @HealthContributor()
  database() {
    const indicator = this.indicators.check('database');
    if (this.state === 'up') return indicator.up();
    return this.state === 'degraded' ? indicator.degraded('slow') : indicator.down('no connection');
  }
}

@Controller()
class CatchAllController {
  @Get('*')
  anything() {
    return 'caught';
  }
}

class DenyAll implements CanActivate {
  canActivate() {
    return false;
  }
}

describe('registration with Consul', () => {
  let consul: TestConsul;
  const apps: TestApp[] = [];
  beforeAll(async () => {
    consul = await startTestConsul();
  });
  afterAll(() => consul.stop());
  afterEach(async () => {
    await Promise.all(apps.splice(0).map(({ app }) => app.close()));
  });

  const start = async (...args: Parameters<typeof startApp>): Promise<TestApp> => {
    const app = await startApp(...args);
    apps.push(app);
    return app;
  };
  const instances = async (service: string, agent = consul): Promise<ServiceEntry[]> =>
    (await agent.request('GET', `/v1/health/service/${service}`)).body as ServiceEntry[];
  const statusOf = (entry: ServiceEntry | undefined): string | undefined =>
    entry?.Checks?.find(({ CheckID }) => CheckID !== 'serfHealth')?.Status;
  /** The agent's own record: it writes a new output with the same status to the catalog only every five minutes. */
  const outputOf = (service: string): Promise<string> =>
    eventually(async () => {
      const checks = Object.values(
        (await consul.request('GET', '/v1/agent/checks')).body as Record<string, HealthCheck>,
      );
      return checks.find(({ ServiceName, Output }) => ServiceName === service && Output !== '')?.Output;
    });
  const registered = (service: string): Promise<ServiceEntry> =>
    eventually(async () => (await instances(service))[0]);

  describe.each(PLATFORMS)('on %s', (platform) => {
    it('registers the port that was really bound, passing at once, under a stable id', async () => {
      const service = `books-${platform}`;
      const module = ConsulModule.forRoot({
        agent: { url: consul.url },
        service: { name: service, tags: ['v1'] },
      });
      const { port } = await start(rootModule([module]), { platform });
      const entry = await registered(service);
      expect(entry.Service).toMatchObject({
        ID: `${service}-${hostname()}-${port}`,
        Service: service,
        Port: port,
        // Express binds all interfaces, so the node's address of the local agent applies. Fastify binds one.
        Address: platform === 'express' ? '' : '127.0.0.1',
        Tags: ['v1'],
      });
      expect(statusOf(entry)).toBe('passing');
      expect((entry.Checks ?? []).map(({ CheckID }) => CheckID)).toContain(`${entry.Service.ID}:http`);
    });

    it("passes Consul's own check on the health path, past guards, prefixes and catch-all routes", async () => {
      const service = `guarded-${platform}`;
      const { app } = await createApp(
        rootModule(
          [
            ConsulModule.forRoot({
              agent: { url: consul.url },
              service: { name: service, check: { type: 'http', interval: '1s' } },
            }),
          ],
          { controllers: [CatchAllController], providers: [{ provide: APP_GUARD, useClass: DenyAll }] },
        ),
        platform,
      );
      app.setGlobalPrefix('api');
      await app.listen(0);
      try {
        // The output is there only once the agent itself has run the check.
        expect(await outputOf(service)).toMatch(/^HTTP GET http:\/\/127\.0\.0\.1:\d+\/health: 200 OK/);
        expect(statusOf(await registered(service))).toBe('passing');
      } finally {
        await app.close();
      }
    });

    it('shows the state of its contributors: down, and degraded, which only Consul sees as a warning', async () => {
      const service = `moody-${platform}`;
      const { app, url } = await start(
        rootModule(
          [
            ConsulModule.forRoot({
              agent: { url: consul.url },
              service: { name: service, check: { type: 'http', interval: '1s' } },
            }),
          ],
          { providers: [Database] },
        ),
        { platform },
      );
      const database = app.get(Database);
      await registered(service);
      database.state = 'degraded';
      await eventually(async () => statusOf(await registered(service)) === 'warning');
      const degraded = await fetch(`${url}/health/ready`);
      expect(degraded.status).toBe(200);
      expect(await degraded.json()).toMatchObject({
        status: 'degraded',
        details: { database: { status: 'degraded' } },
      });
      database.state = 'down';
      await eventually(async () => statusOf(await registered(service)) === 'critical');
      expect((await fetch(`${url}/health`)).status).toBe(503);
      expect((await fetch(`${url}/health/live`)).status).toBe(200);
    });

    it('deregisters when the app is closed', async () => {
      const service = `leaving-${platform}`;
      const module = ConsulModule.forRoot({ agent: { url: consul.url }, service: { name: service } });
      const { app } = await startApp(rootModule([module]), { platform });
      await registered(service);
      await app.close();
      expect(await instances(service)).toEqual([]);
    });
  });

  it('mounts the health endpoints at the configured path, which Consul checks', async () => {
    const module = ConsulModule.forRoot({
      agent: { url: consul.url },
      health: { path: '/internal/status' },
      service: { name: 'elsewhere', check: { type: 'http', interval: '1s' } },
    });
    const { url } = await start(rootModule([module]));
    expect((await fetch(`${url}/internal/status/live`)).status).toBe(200);
    expect((await fetch(`${url}/health`)).status).toBe(404);
    expect(await outputOf('elsewhere')).toContain('/internal/status: 200');
  });

  it('waits until the app is ready', async () => {
    const module = ConsulModule.forRoot({ agent: { url: consul.url }, service: { name: 'late' } });
    const { app, logger } = await createApp(rootModule([module], { providers: [Database] }));
    app.get(Database).state = 'down';
    try {
      await app.listen(0);
      await eventually(
        () => logger.matching(/not registered yet, the app is not ready: database is down/).length > 0,
      );
      expect(await instances('late')).toEqual([]);
      app.get(Database).state = 'up';
      expect(statusOf(await registered('late'))).toBe('passing');
    } finally {
      await app.close();
    }
  });

  it('starts without Consul, logs it in one line, and registers when Consul appears', async () => {
    const away = await startTestConsul();
    await away.kill();
    const module = ConsulModule.forRoot({ agent: { url: away.url }, service: { name: 'early' } });
    const { url, logger } = await start(rootModule([module]));
    expect((await fetch(`${url}/health`)).status).toBe(200);
    await eventually(() => logger.matching(/^warn cannot keep "early-/).length > 0);
    await away.restart();
    await eventually(async () => (await instances('early', away)).length === 1, { within: 60_000 });
    expect(logger.matching(/^warn cannot keep/)).toHaveLength(1);
    expect(logger.matching(/^warn cannot keep/)[0]).toMatch(
      /ECONNREFUSED.*Is a Consul agent listening at https?:\/\/127\.0\.0\.1:\d+\? See agent\.url or CONSUL_HTTP_ADDR/,
    );
    await away.stop();
  });

  it('registers again after its agent was killed and restarted empty', async () => {
    const agent = await startTestConsul();
    const module = ConsulModule.forRoot({ agent: { url: agent.url }, service: { name: 'phoenix' } });
    await start(rootModule([module]));
    await eventually(async () => (await instances('phoenix', agent)).length === 1);
    await agent.restart({ keepData: false });
    const [entry] = await eventually(async () => {
      const found = await instances('phoenix', agent);
      return found.length === 1 ? found : undefined;
    });
    expect(statusOf(entry)).toBe('passing');
    await agent.stop();
  });

  it('registers again after another client deregistered it', async () => {
    await start(
      rootModule([ConsulModule.forRoot({ agent: { url: consul.url }, service: { name: 'robbed' } })]),
    );
    const { Service } = await registered('robbed');
    await consul.request('PUT', `/v1/agent/service/deregister/${Service.ID}`);
    await eventually(async () => (await instances('robbed')).length === 1);
  });

  it('closes within its limit, and soon, when Consul is gone or frozen', async () => {
    const gone = await startTestConsul();
    const module = (name: string) =>
      ConsulModule.forRoot({
        agent: { url: gone.url },
        service: { name },
        shutdown: { deregisterTimeout: '500ms' },
      });
    const first = await startApp(rootModule([module('one')]));
    const second = await startApp(rootModule([module('two')]));
    await eventually(async () => (await instances('two', gone)).length === 1);
    gone.pause();
    await first.app.close();
    // Nest has one logger for the process: that of the app created last.
    expect(second.logger.matching(/could not be deregistered.*no response in 500 ms/)).toHaveLength(1);
    gone.resume();
    await gone.kill();
    await second.app.close();
    expect(second.logger.matching(/could not be deregistered.*ECONNREFUSED/)).toHaveLength(1);
    await gone.stop();
  });

  it('registers the address that the app is bound to, or the configured one', async () => {
    const bound = ConsulModule.forRoot({ agent: { url: consul.url }, service: { name: 'bound' } });
    await start(rootModule([bound]), { host: '127.0.0.1' });
    expect((await registered('bound')).Service.Address).toBe('127.0.0.1');
    const configured = ConsulModule.forRoot({
      agent: { url: consul.url },
      service: { name: 'configured', address: 'books.example', port: 4711 },
    });
    await start(rootModule([configured]));
    expect((await registered('configured')).Service).toMatchObject({ Address: 'books.example', Port: 4711 });
  });

  it('only discovers when no service is named, and registers nothing for an app without a server', async () => {
    const { app } = await start(rootModule([ConsulModule.forRoot({ agent: { url: consul.url } })]));
    const states: string[] = [];
    app.get(RegistrationService).status$.subscribe(({ state }) => states.push(state));
    expect(states).toEqual(['idle']);
    const { app: context, logger } = await createApp(
      rootModule([ConsulModule.forRoot({ agent: { url: consul.url }, service: { name: 'silent' } })]),
    );
    await context.init(); // never listens
    await context.close();
    expect(await instances('silent')).toEqual([]);
    expect(logger.matching(/^(warn|error)/)).toEqual([]);
  });

  it('can be deregistered and registered again by the app', async () => {
    const { app } = await start(
      rootModule([ConsulModule.forRoot({ agent: { url: consul.url }, service: { name: 'manual' } })]),
    );
    await registered('manual');
    const registration = app.get(RegistrationService);
    await registration.deregister();
    expect(await instances('manual')).toEqual([]);
    await registration.register();
    expect(statusOf(await registered('manual'))).toBe('passing');
  });

  it('follows the last of several overlapping commands, and leaves nothing behind', async () => {
    const module = ConsulModule.forRoot({ agent: { url: consul.url }, service: { name: 'hasty' } });
    const { app } = await startApp(rootModule([module]));
    const registration = app.get(RegistrationService);
    await registration.register(); // while the one of listen() is under way
    await registered('hasty');
    await registration.deregister();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await instances('hasty')).toEqual([]);
    await Promise.all([registration.register(), registration.deregister(), registration.register()]);
    await registered('hasty');
    await app.close();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await instances('hasty')).toEqual([]);
    await expect(registration.register()).rejects.toMatchObject({ code: 'RK_SHUT_DOWN' });
    await expect(app.get(DiscoveryService).getInstances('hasty')).rejects.toMatchObject({
      code: 'RK_SHUT_DOWN',
    });
    let completed = false;
    app
      .get(DiscoveryService)
      .watch('hasty')
      .subscribe({ complete: () => (completed = true) });
    expect(completed).toBe(true);
  });

  it('survives contributors that return an invalid result, and names them', async () => {
    class Nonsense {
      @HealthContributor()
      forgotten() {
        return undefined as unknown as HealthIndicatorResult;
      }

      @HealthContributor({ groups: ['liveness'] })
      huge() {
        return { huge: { status: 'up' as const, rows: 10n } };
      }
    }
    const module = ConsulModule.forRoot({ agent: { url: consul.url } });
    const { url } = await start(rootModule([module], { providers: [Nonsense] }));
    const ready = await fetch(`${url}/health/ready`);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({
      details: {
        'Nonsense.forgotten': {
          status: 'down',
          message: expect.stringMatching(/not a Terminus result/) as unknown,
        },
      },
    });
    const live = await fetch(`${url}/health/live`);
    expect(live.status).toBe(503);
    expect(await live.json()).toMatchObject({ message: expect.stringMatching(/BigInt/) as unknown });
  });

  it('closes in time however long its token provider takes', async () => {
    const module = ConsulModule.forRoot({
      agent: { url: consul.url, tokenProvider: () => new Promise<string>(() => undefined), timeout: '200ms' },
      service: { name: 'tokenless' },
      shutdown: { deregisterTimeout: '300ms' },
    });
    const { app, logger } = await startApp(rootModule([module]));
    await eventually(() => logger.matching(/cannot keep "tokenless.*no response in 200 ms/).length > 0);
    await app.close();
    // It was never registered: there is nothing to deregister.
    expect(logger.matching(/could not be deregistered|is deregistered/)).toEqual([]);
  });

  it('takes its options from other providers', async () => {
    const [port = 0] = await freePorts(1);
    class Settings {
      readonly name = 'configured';
      readonly port = port;
    }
    class SettingsModule {}
    const settings = { module: SettingsModule, providers: [Settings], exports: [Settings] };
    class Options {
      createConsulOptions() {
        return { agent: { url: consul.url }, service: { name: 'from-class' } };
      }
    }
    await start(
      rootModule([
        ConsulModule.forRootAsync({
          imports: [settings],
          inject: [Settings],
          useFactory: async (from: Settings) => ({
            agent: { url: consul.url },
            service: { name: from.name, port: from.port },
          }),
        }),
      ]),
    );
    expect((await registered('configured')).Service.Port).toBe(port);
    await start(rootModule([ConsulModule.forRootAsync({ useClass: Options })]));
    await registered('from-class');
    const optionsModule = { module: class {}, providers: [Options], exports: [Options] };
    await start(rootModule([ConsulModule.forRootAsync({ imports: [optionsModule], useExisting: Options })]));
    await eventually(async () => (await instances('from-class')).length === 2);
  });

  it('is visible to another process soon after it listens', async () => {
    const times: number[] = [];
    for (let run = 0; run < 50; run++) {
      const name = `fast-${run}`;
      const { app } = await createApp(
        rootModule([ConsulModule.forRoot({ agent: { url: consul.url }, service: { name } })]),
      );
      // What another process sees: Consul's passing list, from a blocking query that was waiting.
      const { headers } = await consul.request('GET', `/v1/health/service/${name}?passing`);
      const waiting = (async () => {
        for (let index = headers.get('x-consul-index'); ;) {
          const answer = await consul.request(
            'GET',
            `/v1/health/service/${name}?passing&index=${index}&wait=4s`,
          );
          if ((answer.body as unknown[]).length > 0) return performance.now();
          index = answer.headers.get('x-consul-index');
        }
      })();
      await app.listen(0);
      const listened = performance.now();
      times.push((await waiting) - listened);
      await app.close();
    }
    times.sort((a, b) => a - b);
    const [median, worst] = [times[25] ?? NaN, times[49] ?? NaN];
    process.stderr.write(
      `visible to another process after listening: median ${median.toFixed(1)} ms, worst ${worst.toFixed(1)} ms (n=50)\n`,
    );
    expect(times).toHaveLength(50);
  });
});
