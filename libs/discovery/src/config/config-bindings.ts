import { Logger, type OnModuleInit, type OnApplicationShutdown } from '@nestjs/common';
import type { DiscoveryService as ProviderScanner } from '@nestjs/core';
import { errorMessage } from '../errors/error-message.js';
import { providedInstances } from '../scanning/provided-instances.js';
import { skip, type Subscription } from 'rxjs';
import { configValuesOf } from './config-value.decorator.js';
import type { LiveConfig } from './live-config.js';
import { configHandlersOf } from './on-config-change.decorator.js';

/** Connects the `@ConfigValue` properties and the `@OnConfigChange` methods of all providers and controllers. */
export class ConfigBindings implements OnModuleInit, OnApplicationShutdown {
  readonly #logger = new Logger('LiveConfig');
  readonly #config: LiveConfig;
  readonly #providers: ProviderScanner;
  readonly #subscriptions: Subscription[] = [];

  constructor(config: LiveConfig, providers: ProviderScanner) {
    this.#config = config;
    this.#providers = providers;
  }

  onModuleInit(): void {
    const { instances, requestScoped } = providedInstances(this.#providers);
    for (const { name, prototype } of requestScoped) this.#warnRequestScoped(name, prototype);
    // All properties first, so that no method that is called meanwhile sees an old one.
    for (const instance of instances) this.#bindValues(instance);
    for (const instance of instances) this.#bindHandlers(instance);
  }

  onApplicationShutdown(): void {
    for (const subscription of this.#subscriptions.splice(0)) subscription.unsubscribe();
  }

  /** A path without a value may be meant; one that is almost that of a value is rather a mistake. */
  #warnIfMisspelt(instance: object, member: string | symbol, path: string): void {
    const close = this.#config.get(path) === undefined ? this.#config.closePaths(path) : [];
    if (close.length > 0)
      this.#logger.warn(
        `${instance.constructor.name}.${String(member)} follows "${path}", which has no value; there is ${close.join(', ')}`,
      );
  }

  /** An instance that is made for a request does not exist when a value changes. */
  #warnRequestScoped(name: string, prototype: object): void {
    if (configValuesOf(prototype).length + configHandlersOf(prototype).length === 0) return;
    this.#logger.warn(
      `${name} gets no configuration: it is request-scoped. Read the value there, with get(path), or move it to a singleton`,
    );
  }

  #bindValues(instance: object): void {
    for (const { property, path } of configValuesOf(instance)) {
      this.#warnIfMisspelt(instance, property, path);
      const initial: unknown = Reflect.get(instance, property);
      const set = (value: unknown): void =>
        void Reflect.set(instance, property, value === undefined ? initial : value);
      this.#subscriptions.push(this.#config.watch(path).subscribe(set));
    }
  }

  #bindHandlers(instance: object): void {
    for (const { method, path } of configHandlersOf(instance)) {
      this.#warnIfMisspelt(instance, method, path);
      const handle = async (value: unknown): Promise<void> => {
        try {
          await (Reflect.get(instance, method) as (value: unknown) => unknown).call(instance, value);
        } catch (error) {
          this.#logger.error(
            `${instance.constructor.name}.${String(method)}, which follows "${path}", threw: ${errorMessage(error)}`,
          );
        }
      };
      // The present value is no change.
      this.#subscriptions.push(
        this.#config
          .watch(path)
          .pipe(skip(1))
          .subscribe((value) => void handle(value)),
      );
    }
  }
}
