import { noteDecorated } from './decorated-classes.js';

const CONFIG_VALUES = 'rookery:config-values';

/** A property, and the path of its value. */
export interface ConfigValueProperty {
  readonly property: string | symbol;
  readonly path: string;
}

/**
 * Keeps a property of a provider or a controller equal to a value of the configuration. It is an ordinary property, which is set before
 * `onModuleInit` and again with every change; its initial value is used while the registry has none.
 *
 * @example
 * ```ts
 * @ConfigValue('limits.rate')
 * private readonly rate: number = 100;
 * ```
 */
export function ConfigValue(path: string): PropertyDecorator {
  return (target, property) => {
    noteDecorated(target);
    // A subclass may give the property another value.
    const known = configValuesOf(target).filter((other) => other.property !== property);
    Reflect.defineMetadata(CONFIG_VALUES, [...known, { property, path }], target);
  };
}

/** Also those of the classes that it extends. */
export function configValuesOf(prototype: object): readonly ConfigValueProperty[] {
  return (Reflect.getMetadata(CONFIG_VALUES, prototype) as readonly ConfigValueProperty[] | undefined) ?? [];
}
