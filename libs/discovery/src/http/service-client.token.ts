import { withProvider } from '../errors/provided-by.js';
import type { ServiceClientOptions } from './service-client.options.js';

/**
 * The injection token of a service client, to replace it in a test.
 *
 * @example
 * ```ts
 * Test.createTestingModule({ imports: [AppModule] })
 *   .overrideProvider(getServiceClientToken('inventory'))
 *   .useValue({ get: () => of({ data: [] }) });
 * ```
 */
export function getServiceClientToken(service: string, options: ServiceClientOptions = {}): string {
  const own = Object.keys(options).length > 0 ? `, ${JSON.stringify(options, nameClasses)}` : '';
  return withProvider(`ServiceClient(${service}${own})`);
}

/** Distinguishes two strategy classes with the same name. */
const numbers = new WeakMap<object, number>();
let classes = 0;

function nameClasses(_key: string, value: unknown): unknown {
  if (typeof value !== 'function') return value;
  const number = numbers.get(value) ?? ++classes;
  numbers.set(value, number);
  return `${value.name}#${number}`;
}
