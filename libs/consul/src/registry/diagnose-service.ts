import { closeNames, withoutUrlSecrets, type SourceQuery } from '@rookery/discovery/adapter';
import type { ServiceEntry } from '../client/api/types.js';
import { deniedListError, lackingRights } from './empty-list.js';
import type { ConsulClient } from '../client/consul-client.js';
import { discoveryRights, ruleOf } from '../acl/acl-right.js';
import { MAINTENANCE_CHECK } from '../client/worst-status.js';

const MAX_OUTPUT = 200;
const MAX_INSTANCES = 2;
/** The servers of Consul register themselves under this name. */
const CONSUL_SERVICE = 'consul';

/** Why Consul shows no usable instance of a service: the output of failing checks, another name, or a right that the token lacks. */
export async function diagnoseService(
  client: ConsulClient,
  service: string,
  { datacenter, filter }: SourceQuery,
  signal: AbortSignal,
  names: (datacenter: string | undefined) => Promise<readonly string[]>,
): Promise<string | undefined> {
  const options = { signal, ...(datacenter === undefined ? {} : { datacenter }) };
  const { body: entries } = await client.health.service(service, options);
  if (entries.length > 0) return describeFailing(entries, filter);
  const lacking = await lackingRights(client, service, { signal, datacenter });
  if (lacking && lacking.length > 0) return deniedListError(service, lacking).message;
  return explainAbsence(service, await names(datacenter), lacking !== undefined);
}

/**
 * @param names of all services that the token may see
 * @param mayRead it is known that the token may read this one
 */
export function explainAbsence(service: string, names: readonly string[], mayRead = false): string {
  const [ofService, ofNodes] = discoveryRights(service).map(ruleOf);
  const rights = `${ofService} and ${ofNodes}`;
  if (names.length === 0 && !mayRead)
    return `The token may not read any service, not even Consul's own: discovery needs ${rights}`;
  if (names.includes(service) && !mayRead)
    return `Consul has the service, but shows the token no instance of it: is ${ofNodes} missing?`;
  // A token that sees only some services may not see this one.
  const mayBeHidden =
    mayRead || names.includes(CONSUL_SERVICE) ? '' : `, and may the token read it (${rights})`;
  const question = `The registry lists none: is it running and registered${mayBeHidden}?`;
  const close = closeNames(service, names).map((name) => `"${name}"`);
  return close.length > 0 ? `${question} Did you mean ${close.join(' or ')}?` : question;
}

function describeFailing(entries: readonly ServiceEntry[], filter: string | undefined): string | undefined {
  const failing = entries.flatMap(({ Service, Checks }) => {
    const critical = (Checks ?? []).filter(
      ({ CheckID, Status }) => Status === 'critical' && !MAINTENANCE_CHECK.test(CheckID),
    );
    return critical
      .slice(0, 1)
      .map(({ Name, Output }) => `${Service.ID}, ${Name}: ${shorten(withoutUrlSecrets(Output))}`);
  });
  const maintained = entries.flatMap(({ Checks }) => {
    const check = Checks?.find(({ CheckID }) => MAINTENANCE_CHECK.test(CheckID));
    return check?.Notes ? [check.Notes] : [];
  });
  if (failing.length === 0 && maintained.length > 0)
    return `In maintenance: ${[...new Set(maintained)].slice(0, MAX_INSTANCES).join('; ')}`;
  if (failing.length > 0) return `Checks fail: ${failing.slice(0, MAX_INSTANCES).join('; ')}`;
  return filter === undefined ? undefined : `Consul has ${entries.length}, but none that matches the filter`;
}

function shorten(output: string): string {
  const line = output.trim().replace(/\s+/g, ' ');
  if (line === '') return 'no output yet';
  return line.length > MAX_OUTPUT ? `${line.slice(0, MAX_OUTPUT)}…` : line;
}
