import type { InstanceList } from '@rookery/discovery/adapter';
import { discoveryRights, ruleOf, type AclRight } from '../acl/acl-right.js';
import type { ConsulClient } from '../client/consul-client.js';
import { ConsulError } from '../client/consul-error.js';

interface ListScope {
  readonly signal: AbortSignal;
  readonly datacenter?: string | undefined;
}

/**
 * The rights without which a service seems to have no instance: Consul leaves out what a token may not read, and only newer versions say
 * that they did.
 *
 * @returns none: the list is complete. Undefined: it cannot be found out
 */
export async function lackingRights(
  client: Pick<ConsulClient, 'acl' | 'catalog' | 'health'>,
  service: string,
  { signal, datacenter }: ListScope,
): Promise<readonly AclRight[] | undefined> {
  const options = { signal, ...(datacenter === undefined ? {} : { datacenter }) };
  const [ofService, ofNodes] = discoveryRights(service);
  try {
    const [mayReadService, mayReadNodes] = await client.acl.allows([ofService, ofNodes], options);
    if (!mayReadService) return mayReadNodes ? [ofService] : [ofService, ofNodes];
    if (mayReadNodes) return [];
    // It may read some nodes; names of services are listed without that right.
    const { body: names } = await client.catalog.services(options);
    if (!Object.hasOwn(names, service)) return [];
    // A filter may have left out those that it may read.
    const { body: readable } = await client.health.service(service, options);
    return readable.length > 0 ? [] : [ofNodes];
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

export function deniedListError(service: string, lacking: readonly AclRight[]): ConsulError {
  const rules = lacking.map(ruleOf).join(' and ');
  return new ConsulError('RK_ACL_DENIED', `the token may not read the instances of "${service}"`, {
    hint: `Add ${rules} to its policy`,
  });
}

/**
 * For an empty catalog, which has at least Consul's own service.
 *
 * @throws ConsulError `RK_ACL_DENIED` when the token may not read all names
 */
export async function assertMayReadNames(
  client: Pick<ConsulClient, 'acl'>,
  signal: AbortSignal,
): Promise<void> {
  const right = { resource: 'service', access: 'read', name: '', isPrefix: true } as const;
  const [mayRead] = await client.acl.allows([right], { signal }).catch(() => [true]);
  signal.throwIfAborted();
  if (mayRead === false)
    throw new ConsulError('RK_ACL_DENIED', 'no service is registered whose name the token may read', {
      hint: `Add ${ruleOf(right)} to its policy`,
    });
}

/** @throws ConsulError `RK_ACL_DENIED` with the rules that are missing */
export async function assertReadable(
  client: Pick<ConsulClient, 'acl' | 'catalog' | 'health'>,
  service: string,
  scope: ListScope,
): Promise<void> {
  const lacking = await lackingRights(client, service, scope);
  if (lacking && lacking.length > 0) throw deniedListError(service, lacking);
}

/** Of one service: a list without instances is believed once it is known that the token may read it. */
export class EmptyListCheck {
  readonly #client: ConsulClient;
  readonly #service: string;
  readonly #datacenter: string | undefined;
  /** The token that may read it; undefined: not asked since the last list with instances. */
  #verifiedToken: number | undefined;

  constructor(client: ConsulClient, service: string, datacenter: string | undefined) {
    this.#client = client;
    this.#service = service;
    this.#datacenter = datacenter;
  }

  /** @throws ConsulError `RK_ACL_DENIED` with the rules that are missing */
  async verify({ instances }: InstanceList, signal: AbortSignal): Promise<void> {
    const token = this.#client.tokenVersion ?? 0;
    if (instances.length > 0) this.#verifiedToken = undefined;
    else if (this.#verifiedToken !== token) {
      await assertReadable(this.#client, this.#service, { signal, datacenter: this.#datacenter });
      this.#verifiedToken = token;
    }
  }
}
