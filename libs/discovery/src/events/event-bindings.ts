import { Logger } from '@nestjs/common';
import type { DiscoveryService as ProviderScanner } from '@nestjs/core';
import type { Subscription } from 'rxjs';
import { errorMessage } from '../errors/error-message.js';
import { providedInstances } from '../scanning/provided-instances.js';
import type { TimedDiscoveryEvent } from './discovery-event.js';
import type { DiscoveryEvents } from './discovery-events.js';
import { matchesPattern } from './event-pattern.js';
import { eventHandlersOf, type EventHandler } from './on-discovery-event.decorator.js';

/** Connects the `@OnDiscoveryEvent` methods of all providers and controllers. */
export class EventBindings {
  readonly #logger = new Logger('DiscoveryEvents');
  readonly #events: DiscoveryEvents;
  readonly #scanner: ProviderScanner;
  readonly #subscriptions: Subscription[] = [];

  constructor(events: DiscoveryEvents, scanner: ProviderScanner) {
    this.#events = events;
    this.#scanner = scanner;
  }

  bind(): void {
    const { instances, requestScoped } = providedInstances(this.#scanner);
    for (const instance of instances)
      for (const handler of eventHandlersOf(instance)) this.#bind(instance, handler);
    for (const { name, prototype } of requestScoped)
      if (eventHandlersOf(prototype).length > 0)
        this.#logger.warn(
          `${name} gets no events: it is request-scoped. Move its @OnDiscoveryEvent methods to a singleton`,
        );
  }

  close(): void {
    for (const subscription of this.#subscriptions.splice(0)) subscription.unsubscribe();
  }

  #bind(instance: object, { method, patterns }: EventHandler): void {
    const handle = async (event: TimedDiscoveryEvent): Promise<void> => {
      try {
        await (Reflect.get(instance, method) as (event: TimedDiscoveryEvent) => unknown).call(
          instance,
          event,
        );
      } catch (error) {
        const name = `${instance.constructor.name}.${String(method)}`;
        this.#logger.error(`${name}, called with ${event.type}, threw: ${errorMessage(error)}`);
      }
    };
    this.#subscriptions.push(
      this.#events.events$.subscribe((event) => {
        if (patterns.some((pattern) => matchesPattern(event.type, pattern))) void handle(event);
      }),
    );
  }
}
