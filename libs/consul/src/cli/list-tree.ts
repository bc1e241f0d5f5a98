import type { KvEntry } from '../client/api/types.js';
import type { ConsulClient } from '../client/consul-client.js';

/**
 * All keys that begin with a prefix.
 *
 * @throws DiscoveryError `RK_ACL_DENIED` when the token may not read them, where Consul shows an empty tree
 */
export async function listTree(
  client: ConsulClient,
  prefix: string,
  signal: AbortSignal,
  datacenter?: string,
): Promise<KvEntry[]> {
  const options = { signal, ...(datacenter === undefined ? {} : { datacenter }) };
  const { body } = await client.kv.list(prefix, options);
  // A single key that may not be read is an error.
  if (body.length === 0 && prefix !== '') await client.kv.get(prefix, options);
  return body;
}
