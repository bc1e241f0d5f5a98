import { z } from 'zod';
import { nonEmptyString } from '../../configuration/validate-options.js';

/** The domains of services: `inventory.service`, and the names of Consul's DNS interface in its default domain. */
export const SERVICE_DOMAINS = ['service', 'service.consul'] as const;

export const domainsSchema = z.array(nonEmptyString("must be a domain, such as 'service'"), {
  error: 'must be an array of domains',
});

/** The name of a service as a label of a host name, or several of them. */
const SERVICE_NAME = /^[\w-]+(?:\.[\w-]+)*$/;

/** The service that a host name stands for; undefined: it is another host. */
export function serviceOfHost(host: string, domains: readonly string[]): string | undefined {
  for (const domain of domains) {
    if (!host.endsWith(`.${domain}`)) continue;
    const name = host.slice(0, -domain.length - 1);
    if (SERVICE_NAME.test(name)) return name;
  }
  return undefined;
}
