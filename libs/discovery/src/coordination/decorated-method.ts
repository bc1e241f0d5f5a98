import { DiscoveryError } from '../errors/discovery-error.js';

type Method = (this: object, ...args: unknown[]) => unknown;

/**
 * Replaces a decorated method by one that runs it or not.
 *
 * @param around gets the object, `Class.method`, a function that runs the original, and the replacement, which has all metadata of
 *   decorators above and below
 */
export function replaceMethod(
  target: object,
  method: string | symbol,
  descriptor: PropertyDescriptor,
  around: (
    instance: object,
    name: string,
    run: () => unknown,
    replaced: object,
    args: readonly unknown[],
  ) => Promise<unknown>,
): void {
  const original: unknown = descriptor.value;
  if (typeof original !== 'function') {
    const where = `${target.constructor.name}.${String(method)}`;
    throw new DiscoveryError('RK_INVALID_ARGUMENT', `${where} is not a method`, {
      hint: 'The decorator belongs on a method',
    });
  }
  const replaced: Method = function (this: object, ...args) {
    const name = `${this.constructor.name}.${String(method)}`;
    return around(
      this,
      name,
      () => assertSettles((original as Method).apply(this, args), name),
      replaced,
      args,
    );
  };
  Object.defineProperty(replaced, 'name', { value: original.name, configurable: true });
  // Of decorators below it, such as @Cron.
  for (const key of Reflect.getMetadataKeys(original) as unknown[])
    Reflect.defineMetadata(key, Reflect.getMetadata(key, original), replaced);
  descriptor.value = replaced;
}

/** Its services are injected by Nest. */
export function notCreated(name: string): DiscoveryError {
  return new DiscoveryError(
    'RK_INVALID_ARGUMENT',
    `${name} was called on an object that Nest has not created`,
    {
      hint: 'List its class in providers, and inject it',
    },
  );
}

/** An Observable and a generator begin with a subscription or an iteration: after the lock was released. */
function assertSettles(result: unknown, name: string): unknown {
  if (typeof result !== 'object' || result === null) return result;
  const isLazy = 'subscribe' in result || Symbol.asyncIterator in result || 'next' in result;
  if (!isLazy) return result;
  throw new DiscoveryError('RK_INVALID_ARGUMENT', `${name} returns what begins later, without the lock`, {
    hint: 'Return a promise: of an Observable, lastValueFrom(...)',
  });
}
