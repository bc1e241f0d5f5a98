import { Logger } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import type { Subscription } from 'rxjs';
import { errorMessage } from '../errors/error-message.js';
import type { DiscoveryEvents } from './discovery-events.js';

/** What is used of the `EventEmitter2` of `@nestjs/event-emitter`, and what distinguishes it. */
interface EventEmitter {
  emit(name: string, event: object): unknown;
  emitAsync(name: string, event: object): unknown;
}

/** Before the type of an event: `rookery.instance.ejected`. */
const PREFIX = 'rookery';
/** The class that is exported as `EventEmitter2` has the other name itself. */
const NAME = /^EventEmitter2?$/;

/**
 * Emits each event on the emitter of `@nestjs/event-emitter`, if the app has it: `@OnEvent('rookery.instance.ejected')`. It is found by its
 * form, since a package that is not installed cannot be imported.
 */
export function bridgeToEventEmitter(
  events: DiscoveryEvents,
  modules: ModulesContainer,
): Subscription | undefined {
  const emitter = findEmitter(modules);
  if (!emitter) return undefined;
  const logger = new Logger('DiscoveryEvents');
  return events.events$.subscribe((event) => {
    try {
      emitter.emit(`${PREFIX}.${event.type}`, event);
    } catch (error) {
      logger.error(`a listener of ${PREFIX}.${event.type} threw: ${errorMessage(error)}`);
    }
  });
}

function findEmitter(modules: ModulesContainer): EventEmitter | undefined {
  for (const { providers } of modules.values())
    for (const [token, { instance }] of providers)
      if (typeof token === 'function' && NAME.test(token.name) && isEmitter(instance)) return instance;
  return undefined;
}

function isEmitter(instance: unknown): instance is EventEmitter {
  return typeof instance === 'object' && instance !== null && 'emit' in instance && 'emitAsync' in instance;
}
