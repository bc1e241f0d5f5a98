import { delay, type Clock, type ServiceRegistration } from '@rookery/discovery/adapter';
import type { ConsulClient } from '../client/consul-client.js';
import { ConsulError } from '../client/consul-error.js';

/** An agent removes an instance from the catalog within milliseconds. */
const MAX_WAIT_MS = 1_000;
const MIN_PAUSE_MS = 25;

/**
 * Waits until the catalog no longer lists an instance that its agent has deregistered: the agent removes it with the token that
 * it was registered with, and cannot when that was deleted (hashicorp/consul#3345).
 *
 * @returns false when it is still listed after a second
 * @throws ConsulError when the catalog cannot be read
 */
export async function untilUnlisted(
  client: ConsulClient,
  { id, service }: Pick<ServiceRegistration, 'id' | 'service'>,
  clock: Clock,
  signal: AbortSignal,
): Promise<boolean> {
  const node = await nodeOf(client, signal);
  // Another node may have an instance with the same id.
  if (node === undefined) return true;
  const filter = `Service.ID == ${JSON.stringify(id)} and Node.Node == ${JSON.stringify(node)}`;
  const until = clock.now() + MAX_WAIT_MS;
  for (let pauseMs = MIN_PAUSE_MS; ; pauseMs *= 2) {
    const { body } = await client.health.service(service, { filter, signal });
    if (body.length === 0) return true;
    if (clock.now() + pauseMs > until) return false;
    await delay(clock, pauseMs, signal);
  }
}

/** Undefined: the token may not read it. */
async function nodeOf(client: ConsulClient, signal: AbortSignal): Promise<string | undefined> {
  try {
    return (await client.agent.self({ signal })).body.Config.NodeName;
  } catch (error) {
    if (error instanceof ConsulError && error.code === 'RK_ACL_DENIED') return undefined;
    throw error;
  }
}
