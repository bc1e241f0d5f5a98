import { type Dispatcher } from 'undici';
import { z } from 'zod';
import { invalidConfigError, validateOptions } from './configuration/validate-options.js';
import { discoveryTools } from './discovery-tools.js';
import type { DiscoveryService } from './discovery.service.js';
import { ServiceDispatcher } from './http/dispatcher/service-dispatcher.js';
import { domainsSchema, SERVICE_DOMAINS } from './http/dispatcher/service-host.js';
import { serviceClientOptionsSchema, type ServiceClientOptions } from './http/service-client.options.js';

export interface DiscoveryDispatcherOptions extends ServiceClientOptions {
  /** A host below one of these is a service: `inventory.service`. Default: `service` and `service.consul`. */
  domains?: readonly string[];
  /** Gets the requests for all other hosts. Default: an `Agent` of undici. */
  otherwise?: Dispatcher;
}

const optionsSchema = serviceClientOptionsSchema.extend({
  domains: domainsSchema.optional(),
  otherwise: z
    .custom<Dispatcher>((value) => typeof (value as Partial<Dispatcher> | null)?.dispatch === 'function', {
      error: 'must be a Dispatcher of undici',
    })
    .optional(),
});

/**
 * A dispatcher of undici, which the fetch of Node takes as well: to the compiler the undici in Node is another version of it.
 */
export type DiscoveryDispatcher = Dispatcher &
  NonNullable<(RequestInit & { dispatcher?: unknown })['dispatcher']>;

/**
 * A dispatcher of undici for the fetch of Node, and for every client on undici: requests to `http://<service>.service` go to the
 * instances of the service, with the balancing, the retries and the deadlines of a service client; all others where they did before.
 *
 * @example
 * ```ts
 * const dispatcher = discoveryDispatcher(discovery, { timeout: '2s' });
 * const response = await fetch('http://inventory.service/books', { dispatcher });
 * ```
 * @throws DiscoveryError `RK_CONFIG_INVALID` for a wrong option, `RK_INVALID_ARGUMENT` for what is no `DiscoveryService` of an app
 */
export function discoveryDispatcher(
  discovery: DiscoveryService,
  options: DiscoveryDispatcherOptions = {},
): DiscoveryDispatcher {
  const tools = discoveryTools(discovery, 'discoveryDispatcher');
  const issues = validateOptions(optionsSchema, options);
  if (issues.length > 0) throw invalidConfigError('discoveryDispatcher', issues);
  const { domains = SERVICE_DOMAINS, otherwise, ...client } = options;
  const settings = { client, domains, otherwise };
  return new ServiceDispatcher(tools.caller, tools.connections, settings) as unknown as DiscoveryDispatcher;
}

/**
 * The fetch of Node with a `discoveryDispatcher`, where the compiler knows no option `dispatcher`: the types of browsers have none.
 *
 * @example
 * ```ts
 * const fetch = discoveryFetch(discovery);
 * const response = await fetch('http://inventory.service/books');
 * ```
 * @throws DiscoveryError as `discoveryDispatcher`
 */
export function discoveryFetch(
  discovery: DiscoveryService,
  options: DiscoveryDispatcherOptions = {},
): typeof globalThis.fetch {
  const dispatcher = discoveryDispatcher(discovery, options);
  return (input, init) => globalThis.fetch(input, { ...init, dispatcher });
}
