import { DiscoveryError } from '../errors/discovery-error.js';
import type { EventOf, EventPattern } from './event-pattern.js';

const EVENT_HANDLERS = 'rookery:event-handlers';
const PATTERN = /^(\*|[a-z]+(?:[A-Z][a-z]+)*\.(\*|[a-zA-Z]+))$/;

/** A method, and the events that it is called with. */
export interface EventHandler {
  readonly method: string | symbol;
  readonly patterns: readonly string[];
}

type HandlerDecorator<E> = <M extends (event: E) => unknown>(
  target: object,
  method: string | symbol,
  descriptor: TypedPropertyDescriptor<M>,
) => void;

/**
 * Calls a method of a provider or a controller with each event of these types. An error that it throws, or a promise that rejects, is
 * logged, and affects nothing else. The provider has to be a singleton.
 *
 * @param patterns types of events, families such as `'lock.*'`, or `'*'`
 * @throws DiscoveryError `RK_INVALID_ARGUMENT` when the class is loaded, for what is no such pattern
 *
 * @example
 * ```ts
 * @OnDiscoveryEvent('instance.ejected')
 * count({ service }: EventOf<'instance.ejected'>) {
 *   this.ejections.set(service, (this.ejections.get(service) ?? 0) + 1);
 * }
 * ```
 */
export function OnDiscoveryEvent<P extends EventPattern>(
  ...patterns: readonly [P, ...P[]]
): HandlerDecorator<EventOf<P>> {
  return (target, method) => {
    const wrong = (patterns as readonly unknown[]).find(
      (pattern) => typeof pattern !== 'string' || !PATTERN.test(pattern),
    );
    if (wrong !== undefined || patterns.length === 0) {
      const where = `@OnDiscoveryEvent on ${target.constructor.name}.${String(method)}`;
      throw new DiscoveryError(
        'RK_INVALID_ARGUMENT',
        `${where}: ${JSON.stringify(wrong)} is no type of event`,
        {
          hint: "Name one, such as 'instance.ejected', a family, such as 'instance.*', or '*'",
        },
      );
    }
    // A method that overrides one with the same decorator is called once.
    const known = eventHandlersOf(target).filter((other) => other.method !== method);
    Reflect.defineMetadata(EVENT_HANDLERS, [...known, { method, patterns }], target);
  };
}

/** Also those of the classes that it extends. */
export function eventHandlersOf(prototype: object): readonly EventHandler[] {
  return (Reflect.getMetadata(EVENT_HANDLERS, prototype) as readonly EventHandler[] | undefined) ?? [];
}
