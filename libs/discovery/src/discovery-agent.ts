import type { Agent } from 'node:http';
import { invalidConfigError, validateOptions } from './configuration/validate-options.js';
import { discoveryTools } from './discovery-tools.js';
import type { DiscoveryService } from './discovery.service.js';
import { ServiceAgent } from './http/agent/service-agent.js';
import { domainsSchema, SERVICE_DOMAINS } from './http/dispatcher/service-host.js';
import { serviceClientOptionsSchema, type ServiceClientOptions } from './http/service-client.options.js';

/**
 * As of `@ServiceClient`, so that settings can be shared. An agent hands out connections, and makes no request: of these options `timeout`, `attemptTimeout`, `strategy`,
 * `isFailure` and `query` have an effect.
 */
export interface DiscoveryAgentOptions extends ServiceClientOptions {
  /** A host below one of these is a service: `inventory.service`. Default: `service` and `service.consul`. */
  domains?: readonly string[];
}

const optionsSchema = serviceClientOptionsSchema.extend({ domains: domainsSchema.optional() });

/**
 * An agent for clients that take nothing else, such as SDKs on `node:http`: requests to `http://<service>.service` are sent over a new
 * connection to an instance of the service, or to the next one where it is refused. An agent sees connections, not requests: nothing is
 * retried once it was sent, and no deadline travels. Where there is a choice, use `@ServiceClient` or `discoveryDispatcher`.
 *
 * @example
 * ```ts
 * http.get('http://inventory.service/books', { agent: discoveryAgent(discovery) }, (response) => response.resume());
 * ```
 * @throws DiscoveryError `RK_CONFIG_INVALID` for a wrong option, `RK_INVALID_ARGUMENT` for what is no `DiscoveryService` of an app
 */
export function discoveryAgent(discovery: DiscoveryService, options: DiscoveryAgentOptions = {}): Agent {
  const { caller, connections } = discoveryTools(discovery, 'discoveryAgent');
  const issues = validateOptions(optionsSchema, options);
  if (issues.length > 0) throw invalidConfigError('discoveryAgent', issues);
  const { domains = SERVICE_DOMAINS, ...client } = options;
  return new ServiceAgent(caller, connections, client, domains);
}
