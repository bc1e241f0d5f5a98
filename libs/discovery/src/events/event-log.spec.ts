import { ConsoleLogger, Logger, type LoggerService } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, RecordingLogger } from '@rookery/test-support';
import type { DiscoveryEvent } from './discovery-event.js';
import { EventLog, fieldsOf, loggerTakesFields, type EventLogOptions } from './event-log.js';

const unavailable = (service: string): DiscoveryEvent => ({
  type: 'service.unavailable',
  service,
  list: 'Consul',
});
const registered: DiscoveryEvent = {
  type: 'registration.registered',
  id: 'a-1',
  service: 'a',
  registry: 'Consul',
};

describe('EventLog', () => {
  let clock: FakeClock;
  let logger: RecordingLogger;
  let contexts: string[];
  const open = (options: Partial<EventLogOptions> = {}): EventLog =>
    new EventLog({
      clock,
      structured: () => false,
      linesPerMinute: 3,
      loggerFor: (context) => {
        contexts.push(context);
        return logger;
      },
      ...options,
    });

  beforeEach(() => {
    clock = new FakeClock();
    logger = new RecordingLogger();
    contexts = [];
  });

  it('has a context of its own for health', () => {
    open().write({ type: 'health.changed', name: 'database', from: 'up', to: 'down', reason: 'refused' });
    expect([contexts, logger.lines]).toEqual([
      ['HealthService'],
      [expect.stringContaining('health: "database" is down: refused')],
    ]);
  });

  it('writes a line for a change of state, with the context of where it happens', () => {
    const log = open();
    log.write(unavailable('a'));
    log.write(registered);
    expect(logger.lines).toEqual([
      'warn "a": no usable instance is left',
      'log "a-1" is registered with Consul',
    ]);
    expect(contexts).toEqual(['ServiceCaller', 'RegistrationService']);
    log.close();
    expect(clock.pending).toBe(0);
  });

  it('writes at most so many lines a minute with one code, and then how many there were', async () => {
    const log = open();
    for (let n = 0; n < 10; n++) log.write(unavailable(`s${n}`));
    log.write(registered);
    expect(logger.matching(/no usable instance/)).toHaveLength(3);
    expect(logger.matching(/is registered/)).toHaveLength(1);
    await clock.advance(60_000);
    expect(logger.lines.at(-1)).toBe('warn service.unavailable: 7 more within a minute are not logged');
    log.write(unavailable('again'));
    expect(logger.matching(/no usable instance/)).toHaveLength(4);
    // What is left at the end of the app is not lost.
    for (let n = 0; n < 4; n++) log.write(unavailable(`s${n}`));
    log.close();
    expect(logger.lines.at(-1)).toBe('warn service.unavailable: 2 more within a minute are not logged');
    expect(clock.pending).toBe(0);
  });

  it('adds the code and the fields where loggers take them', () => {
    const calls: unknown[][] = [];
    const record = (...parts: unknown[]): number => calls.push(parts);
    const log = open({
      structured: () => true,
      loggerFor: () => ({ log: record, warn: record, error: record, debug: record }),
    });
    log.write(unavailable('a'));
    expect(calls).toEqual([
      ['"a": no usable instance is left', { code: 'service.unavailable', service: 'a', list: 'Consul' }],
    ]);
    log.close();
  });

  it('is silent about the lists once the app leaves, since its own deregistration changes them', () => {
    const log = open();
    log.leave();
    log.write(unavailable('a'));
    log.write({ ...registered, type: 'registration.deregistered' });
    expect(logger.lines).toEqual(['log "a-1" is deregistered from Consul']);
    log.close();
  });

  it('has no lists among the fields: a service may have hundreds of instances', () => {
    const suspect: DiscoveryEvent = {
      type: 'list.suspect',
      service: 'a',
      list: 'Consul',
      missing: ['a-1', 'a-2'],
      reason: 'empty',
    };
    expect(fieldsOf(suspect)).toEqual({
      code: 'list.suspect',
      service: 'a',
      list: 'Consul',
      reason: 'empty',
    });
  });

  describe('loggerTakesFields', () => {
    const previous = (Logger as unknown as { staticInstanceRef: LoggerService }).staticInstanceRef;
    afterEach(() => {
      Logger.overrideLogger(previous);
    });

    it.each([
      ['a logger of the app', new RecordingLogger(), true],
      ['that of Nest, as JSON', new ConsoleLogger({ json: true }), true],
      ['that of Nest, as text', new ConsoleLogger(), false],
      ['one that extends it', new (class Own extends ConsoleLogger {})(), true],
    ])('with %s', (_, of, expected) => {
      Logger.overrideLogger(of);
      expect(loggerTakesFields()).toBe(expected);
    });
  });
});
