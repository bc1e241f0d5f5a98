import { describe, expect, it } from '@jest/globals';
import { FakeClock, RecordingLogger, settle } from '@rookery/test-support';
import { ReconnectSignal } from '../../registry/reconnect-signal.js';
import type { ServiceRegistration } from '../../registry/service-registration.js';
import { InMemoryRegistry } from '../../testing/in-memory.registry.js';
import { createHeartbeats } from './create-heartbeats.js';
import { MainThreadHeartbeats } from './heartbeat.js';
import { WorkerHeartbeats } from './worker-heartbeats.js';

describe('createHeartbeats', () => {
  const clock = new FakeClock();
  const logger = new RecordingLogger();
  const reconnectSignal = new ReconnectSignal();
  const options = {
    ...{ clock, logger, reconnectSignal },
    random: () => 0.5,
    health: async () => ({ status: 'passing', output: '' }) as const,
  };
  const threaded = { type: 'ttl', heartbeat: 'worker-thread' } as const;

  it('sends them from the main thread, unless the check says otherwise', () => {
    const registry = new InMemoryRegistry();
    for (const check of [undefined, { type: 'ttl' }, { type: 'ttl', heartbeat: 'main-thread' }] as const)
      expect(createHeartbeats(registry, check, options)).toBeInstanceOf(MainThreadHeartbeats);
    expect(logger.lines).toEqual([]);
  });

  it('says that a registry has none from a thread', () => {
    const registry = new InMemoryRegistry();
    expect(createHeartbeats(registry, threaded, options)).toBeInstanceOf(MainThreadHeartbeats);
    expect(logger.lines).toEqual([
      'warn the in-memory registry does not support heartbeats from a worker thread: they run in the main thread',
    ]);
  });

  it('sends them from a thread where it can', () => {
    const registry = new InMemoryRegistry();
    registry.workerReporter = () => ({
      ...{ module: '', data: undefined },
      token: async () => undefined,
      refused: async () => undefined,
    });
    expect(createHeartbeats(registry, threaded, options)).toBeInstanceOf(WorkerHeartbeats);
    expect(() => createHeartbeats(registry, { ...threaded, maxStall: 'soon' }, options)).toThrow(
      /service.check.maxStall/,
    );
  });

  it('tells the others that the registry answers again', async () => {
    const registry = new InMemoryRegistry();
    let reconnected = 0;
    reconnectSignal.reconnected$.subscribe(() => reconnected++);
    const heartbeats = createHeartbeats(registry, undefined, options);
    let failures = 1;
    registry.report = async () => {
      if (failures-- > 0) throw new Error('no response');
    };
    const checks = [{ id: 'a:ttl', name: 'TTL', type: 'ttl', ttlMs: 36_000 }];
    const listener = { onLost: () => undefined, onStall: () => undefined, onFailing: () => undefined };
    heartbeats.start({ id: 'a', checks } as unknown as ServiceRegistration, listener);
    await settle();
    expect(reconnected).toBe(0);
    await clock.advance(1_000);
    expect(reconnected).toBe(1);
    await heartbeats.stop();
  });
});
