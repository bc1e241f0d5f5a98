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
  const own = Object.keys(options).length > 0 ? `, ${JSON.stringify(options)}` : '';
  return `ServiceClient(${service}${own})`;
}
