import { noteDecorated } from './decorated-classes.js';

const CONFIG_HANDLERS = 'rookery:config-handlers';

/** A method, and the path that it follows. */
export interface ConfigChangeHandler {
  readonly method: string | symbol;
  readonly path: string;
}

/**
 * Calls a method of a provider or a controller with the new value, whenever the value at the path changes, or anything below it. It is called
 * after every `@ConfigValue` has been set; an error that it throws is logged, and affects nothing else.
 *
 * @example
 * ```ts
 * @OnConfigChange('limits')
 * resize(limits: Limits | undefined) {
 *   this.pool.resize(limits?.connections ?? 10);
 * }
 * ```
 */
export function OnConfigChange(path: string): MethodDecorator {
  return (target, method) => {
    noteDecorated(target);
    // A method that overrides one with the same decorator is called once.
    const known = configHandlersOf(target).filter((other) => other.method !== method || other.path !== path);
    Reflect.defineMetadata(CONFIG_HANDLERS, [...known, { method, path }], target);
  };
}

/** Also those of the classes that it extends. */
export function configHandlersOf(prototype: object): readonly ConfigChangeHandler[] {
  return (
    (Reflect.getMetadata(CONFIG_HANDLERS, prototype) as readonly ConfigChangeHandler[] | undefined) ?? []
  );
}
