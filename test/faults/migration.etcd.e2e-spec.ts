import { setTimeout as sleep } from 'node:timers/promises';
import { Controller, Get, Module, type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  ConsulModule,
  ConsulRegistry,
  DiscoveryEvents,
  DiscoveryService,
  RegistrationService,
  ServiceClientFactory,
  type TimedDiscoveryEvent,
} from '@rookery/consul';
import { ServiceRegistry } from '@rookery/discovery/adapter';
import { EtcdModule, EtcdRegistry } from '@rookery/etcd';
import { ConsulAgent, EtcdServer, eventually, figure } from '@rookery/test-support';
import { CallLoad } from './call-load.js';

@Controller('books')
class BooksController {
  @Get()
  list() {
    return ['Dune'];
  }
}

const PER_SECOND = 100;

describe('the move from etcd to Consul', () => {
  const cleanUps: (() => unknown)[] = [];
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  const start = async (registry: DynamicModule) => {
    class AppModule {}
    Module({ imports: [registry], controllers: [BooksController] })(AppModule);
    const app = await NestFactory.create(AppModule, { logger: false, abortOnError: false });
    await app.listen(0, '127.0.0.1');
    const events: TimedDiscoveryEvent[] = [];
    app.get(DiscoveryEvents).events$.subscribe((event) => events.push(event));
    return { app, events };
  };

  it('app by app, in three steps, under load: no call fails', async () => {
    const etcd = await EtcdServer.start();
    cleanUps.push(() => etcd.stop());
    const consul = await ConsulAgent.start();
    cleanUps.push(() => consul.stop());
    const inEtcd = { endpoints: etcd.url };
    const inConsul = { url: consul.url };
    /** One after the other, as a team deploys them. */
    const steps = {
      'etcd only': (service?: { name: string }) =>
        EtcdModule.forRoot({ ...inEtcd, ...(service && { service }) }),
      'etcd, and in Consul as well': (service?: { name: string }) => {
        const second = ConsulRegistry.create(inConsul, {});
        const discovery = { sources: ['registry' as const, second] };
        return EtcdModule.forRoot({
          ...inEtcd,
          ...(service && { service }),
          alsoRegister: [second],
          discovery,
        });
      },
      'Consul, and in etcd as well': (service?: { name: string }) => {
        const second = EtcdRegistry.create(inEtcd, {});
        const discovery = { sources: ['registry' as const, second] };
        return ConsulModule.forRoot({
          agent: inConsul,
          ...(service && { service }),
          alsoRegister: [second],
          discovery,
        });
      },
      'Consul only': (service?: { name: string }) =>
        ConsulModule.forRoot({ agent: inConsul, ...(service && { service }) }),
    } as const;
    type Step = keyof typeof steps;
    const [first, ...later] = Object.keys(steps) as Step[];
    const startProvider = async (step: Step) => {
      const { app } = await start(steps[step]({ name: 'inventory' }));
      await app.get(RegistrationService).whenRegistered();
      return app;
    };
    const load: CallLoad[] = [];
    const startCaller = async (step: Step) => {
      const { app, events } = await start(steps[step]());
      const { axiosRef } = app.get(ServiceClientFactory).create('inventory');
      await eventually(async () => (await app.get(DiscoveryService).getInstances('inventory')).length >= 2);
      const calling = new CallLoad(async () => {
        await axiosRef.get('/books');
        return undefined;
      }).start(PER_SECOND);
      load.push(calling);
      const { description } = app.get(ServiceRegistry);
      return {
        /** That of the registry which the system leaves does become empty. */
        lost: () =>
          events.flatMap((event) =>
            event.type === 'service.unavailable' && event.list === description ? [event.list] : [],
          ),
        stop: async () => {
          await calling.stop();
          await app.close();
        },
      };
    };
    if (!first) throw new Error('no steps');
    let providers = [await startProvider(first), await startProvider(first)];
    let caller = await startCaller(first);
    const lost: string[] = [];
    for (const step of later) {
      // Each provider is replaced as in a deployment: the new one is there before the old one leaves.
      for (const [index, old] of providers.entries()) {
        const next = await startProvider(step);
        await sleep(500);
        await old.close();
        providers = providers.map((each, at) => (at === index ? next : each));
      }
      const previous = caller;
      caller = await startCaller(step);
      await previous.stop();
      lost.push(...previous.lost());
    }
    await sleep(1_000);
    await caller.stop();
    await Promise.all(providers.map((app) => app.close()));
    const calls = load.reduce((sum, each) => sum + each.calls.length, 0);
    const failures = load.flatMap((each) => each.failures);
    figure(
      'F30',
      `moved from etcd to Consul under ${PER_SECOND} calls a second: ${calls} calls, ${failures.length} failed`,
    );
    expect(calls).toBeGreaterThan(500);
    expect(failures).toEqual([]);
    expect(lost).toEqual([]);
    // Nothing is left behind in either of them.
    expect((await consul.request('GET', '/v1/health/service/inventory')).body).toEqual([]);
    expect(await etcd.ctl(['get', '--prefix', '/rookery/services/inventory/'])).toBe('');
  }, 240_000);
});
