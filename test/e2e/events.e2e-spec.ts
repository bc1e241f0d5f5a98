import { setTimeout as delay } from 'node:timers/promises';
import { Controller, Injectable, Module, Scope } from '@nestjs/common';
import { EventEmitter2, EventEmitterModule, OnEvent } from '@nestjs/event-emitter';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterEach, describe, expect, it } from '@jest/globals';
import { DiscoveryEvents, OnDiscoveryEvent, type EventOf, type EventOptions } from '@rookery/discovery';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';
import { eventually, RecordingLogger } from '@rookery/test-support';

const seen: string[] = [];

@Injectable()
class Pager {
  @OnDiscoveryEvent('circuit.opened', 'circuit.closed')
  onCircuit(event: EventOf<'circuit.*'>): void {
    seen.push(`pager ${event.type} ${event.service}`);
  }

  @OnDiscoveryEvent('*')
  async onAny(event: EventOf<'*'>): Promise<void> {
    await delay(1);
    if (event.type === 'circuit.closed') throw new Error('the pager is broken');
  }
}

@Controller()
class StatusController {
  @OnDiscoveryEvent('circuit.*')
  onCircuit({ sequence, timestamp }: EventOf<'circuit.*'>): void {
    seen.push(`controller ${sequence} ${timestamp > 1e12}`);
    throw new Error('the controller is broken');
  }
}

@Injectable({ scope: Scope.REQUEST })
class ForOneRequest {
  @OnDiscoveryEvent('circuit.opened')
  on(): void {
    seen.push('for one request');
  }
}

@Injectable()
class Listener {
  @OnEvent('rookery.circuit.opened')
  onOpened({ service }: EventOf<'circuit.opened'>): void {
    seen.push(`emitter ${service}`);
  }
}

@Module({ controllers: [StatusController], providers: [Pager, ForOneRequest, Listener] })
class HandlersModule {}

describe('events', () => {
  let app: TestingModule | undefined;
  let logger: RecordingLogger;
  afterEach(async () => {
    await app?.close();
    app = undefined;
    seen.length = 0;
  });

  const start = async (options: EventOptions = {}, imports: TestingModuleImports = []) => {
    logger = new RecordingLogger();
    const registry = new InMemoryRegistry();
    const useFactory = () => ({ registry, events: options });
    app = await Test.createTestingModule({
      imports: [DiscoveryModule.forRootAsync({ useFactory }), HandlersModule, ...imports],
    })
      .setLogger(logger)
      .compile();
    await app.init();
    return app.get(DiscoveryEvents);
  };
  const opened = { type: 'circuit.opened', service: 'a', reason: 'all failed', durationMs: 5_000 } as const;

  it('reach the decorated methods of providers and controllers, one that throws does not affect the others', async () => {
    const events = await start();
    events.emit(opened);
    events.emit({ type: 'circuit.closed', service: 'a' });
    events.emit({ type: 'service.panic', service: 'a', available: 1, instances: 5 });
    expect(seen.sort()).toEqual([
      'controller 1 true',
      'controller 2 true',
      'pager circuit.closed a',
      'pager circuit.opened a',
    ]);
    await eventually(
      () =>
        logger.matching(/Pager.onAny, called with circuit.closed, threw: the pager is broken/).length === 1,
    );
    await eventually(
      () => logger.matching(/StatusController.onCircuit.*the controller is broken/).length === 2,
    );
    expect(logger.matching(/ForOneRequest gets no events: it is request-scoped/)).toHaveLength(1);
  });

  it('no more once the app is closed', async () => {
    const events = await start();
    await app?.close();
    app = undefined;
    events.emit(opened);
    expect(seen).toEqual([]);
  });

  it('are on the emitter of @nestjs/event-emitter, where the app has it', async () => {
    const events = await start({}, [EventEmitterModule.forRoot()]);
    events.emit(opened);
    expect(seen).toContain('emitter a');
    // A listener that throws through the emitter is no reason to throw where the event happened.
    app?.get(EventEmitter2).on('rookery.circuit.closed', () => {
      throw new Error('the listener is broken');
    });
    events.emit({ type: 'circuit.closed', service: 'a' });
    expect(
      logger.matching(/a listener of rookery.circuit.closed threw: the listener is broken/),
    ).toHaveLength(1);
  });

  it('are logged with their fields, unless the app wants no lines', async () => {
    const events = await start({ structured: true });
    events.emit(opened);
    expect(
      logger.matching(/warn "a": circuit open for 5 s: all failed [^]*code: 'circuit.opened'/),
    ).toHaveLength(1);
    await app?.close();
    const silent = await start({ log: false });
    silent.emit(opened);
    expect(logger.matching(/circuit open/)).toEqual([]);
  });
});

type TestingModuleImports = NonNullable<Parameters<typeof Test.createTestingModule>[0]['imports']>;
