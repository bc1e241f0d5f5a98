import { Controller, Injectable, type INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  Ctx,
  EventPattern,
  MessagePattern,
  TcpContext,
  Transport,
  type ClientProxy,
} from '@nestjs/microservices';
import { afterEach, describe, expect, it } from '@jest/globals';
import { LoadReporter, RegistrationService, TIMEOUT_HEADER, type ServiceOptions } from '@rookery/discovery';
import { DiscoveryModule, type DiscoveryModuleOptions } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';
import { TcpClients, TcpDiscoveryModule } from '@rookery/microservices/tcp';
import { eventually, freePorts, thrownBy } from '@rookery/test-support';
import { firstValueFrom, lastValueFrom, type Observable } from 'rxjs';
import { createApp, rootModule } from '../e2e/test-app.js';

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

/** What a server has been told, and what its handlers do. */
@Injectable()
class Desk {
  behind: ClientProxy | undefined;
  calls = 0;
  events = 0;
  isHanging = false;
  metadata: Readonly<Record<string, unknown>> = {};

  async ask(context: TcpContext): Promise<unknown> {
    this.calls++;
    this.metadata = context.getMetadata() ?? {};
    if (this.isHanging) await new Promise(() => undefined);
    return this.behind ? firstValueFrom(this.behind.send<unknown>('ask', {})) : 'asked';
  }
}

@Controller()
class DeskController {
  constructor(private readonly desk: Desk) {}

  @MessagePattern('ask')
  ask(@Ctx() context: TcpContext): Promise<unknown> {
    return this.desk.ask(context);
  }

  @MessagePattern('fail')
  fail(): never {
    throw new Error('broken');
  }

  @EventPattern('told')
  told(_data: unknown): void {
    this.desk.events++;
  }
}

describe('what a TCP server receives', () => {
  const cleanUps: (() => unknown)[] = [];
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  const startServer = async (
    registry: InMemoryRegistry,
    service: ServiceOptions,
    options: Partial<DiscoveryModuleOptions> = {},
  ): Promise<{ server: INestMicroservice; desk: Desk; port: number }> => {
    const [port = 0] = await freePorts(1);
    const discovery = DiscoveryModule.forRootAsync({
      useFactory: () => ({
        registry,
        service: { address: '127.0.0.1', ...service },
        shutdown: { drainTimeout: 0 },
        ...options,
      }),
    });
    const root = rootModule([discovery, TcpDiscoveryModule as never], {
      controllers: [DeskController],
      providers: [Desk],
    });
    const server = await NestFactory.createMicroservice(root, {
      transport: Transport.TCP,
      options: { host: '127.0.0.1', port },
      logger: false,
    });
    await server.listen();
    cleanUps.push(() => server.close());
    await server.get(RegistrationService).whenRegistered();
    return { server, desk: server.get(Desk), port };
  };
  const startCaller = async (registry: InMemoryRegistry): Promise<TcpClients> => {
    const discovery = DiscoveryModule.forRootAsync({ useFactory: () => ({ registry }) });
    const { app } = await createApp(rootModule([discovery, TcpDiscoveryModule as never]));
    await app.init();
    cleanUps.push(() => app.close());
    return app.get(TcpClients);
  };
  const ask = (client: ClientProxy): Promise<unknown> => firstValueFrom(client.send<unknown>('ask', {}));

  it('its calls end with the deadline of its caller, and send on the trace, the request id and chosen names', async () => {
    const registry = new InMemoryRegistry();
    const context = { headers: ['x-tenant'] };
    const behind = await startServer(registry, { name: 'behind' });
    const { server, desk } = await startServer(registry, { name: 'front' }, { context });
    desk.behind = server.get(TcpClients).create({ service: 'behind' });
    const caller = (await startCaller(registry)).create({ service: 'front', timeout: '2s' });
    caller.setOnDispatchHook((packet) => {
      packet.metadata = { traceparent: TRACE, 'X-Tenant': 'acme', 'x-secret': 'stays here' };
    });
    expect(await ask(caller)).toBe('asked');
    expect(behind.desk.metadata).toMatchObject({ traceparent: TRACE, 'x-tenant': 'acme' });
    expect(behind.desk.metadata['x-request-id']).toEqual(expect.any(String));
    expect(behind.desk.metadata).not.toHaveProperty('x-secret');
    // Ten seconds are its own limit.
    expect(Number(behind.desk.metadata[TIMEOUT_HEADER])).toBeLessThanOrEqual(2_000);
    behind.desk.isHanging = true;
    // Both calls end at the same moment: it is the caller's own error, or what the front makes of that of its call.
    const late = (await thrownBy(() => ask(caller))) as Error & { code?: string };
    expect(['RK_CALL_TIMEOUT', 'Internal server error']).toContain(late.code ?? late.message);
  });

  it('a message for the service that had its address before is refused, and goes elsewhere', async () => {
    const registry = new InMemoryRegistry();
    const orders = await startServer(registry, { name: 'orders' });
    const desks = await startServer(registry, { name: 'desks' });
    // The list is of yesterday: it has the address of what is now the orders.
    const [registered] = await registry.readConsistent('desks', {});
    registry.put({ ...registered, service: 'desks', id: 'old', port: orders.port });
    const caller = (await startCaller(registry)).create({ service: 'desks', strategy: 'round-robin' });
    for (let n = 0; n < 20; n++) expect(await ask(caller)).toBe('asked');
    expect(orders.desk.calls).toBe(0);
    expect(desks.desk.calls).toBe(20);
    for (let n = 0; n < 20; n++)
      await lastValueFrom(caller.emit('told', {}), { defaultValue: undefined }).catch(() => undefined);
    await eventually(() => desks.desk.events > 0);
    expect(orders.desk.events).toBe(0);
  });

  it('counts what is under way, and what failed', async () => {
    const registry = new InMemoryRegistry();
    const { server, desk } = await startServer(registry, { name: 'desks' });
    const caller = (await startCaller(registry)).create({ service: 'desks' });
    const load = server.get(LoadReporter);
    load.report();
    desk.isHanging = true;
    const answer = ask(caller);
    await eventually(() => load.report().named.in_flight === 1);
    desk.isHanging = false;
    const failing: Observable<unknown> = caller.send('fail', {});
    expect(await thrownBy(() => firstValueFrom(failing))).toMatchObject({ status: 'error' });
    expect(load.report().named.in_flight).toBe(1);
    await eventually(() => load.report().failuresPerSecond > 0);
    await thrownBy(() => answer);
  });
});
