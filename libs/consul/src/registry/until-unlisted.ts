import { delay, type Clock, type ServiceRegistration } from '@rookery/discovery/adapter';
import type { ConsulClient } from '../client/consul-client.js';

/** An agent removes an instance from the catalog within milliseconds. */
const MAX_WAIT_MS = 1_000;
const MIN_PAUSE_MS = 25;

export interface ListedInstance extends Pick<ServiceRegistration, 'id' | 'service'> {
  /** Undefined: that of the agent. */
  readonly node: string | undefined;
}

/**
 * Waits until the catalog no longer lists an instance that its agent has deregistered: the agent removes it with the token that
 * it was registered with, and cannot when that was deleted (hashicorp/consul#3345).
 *
 * @returns false when it is still listed after a second; true also when the catalog cannot be read: the agent has accepted it
 */
export async function untilUnlisted(
  client: ConsulClient,
  { id, service, node }: ListedInstance,
  clock: Clock,
  signal: AbortSignal,
): Promise<boolean> {
  const listedNode = node ?? (await nodeOf(client, signal));
  // Another node may have an instance with the same id.
  if (listedNode === undefined) return true;
  const filter = `Node.Node == "${listedNode}"`;
  const until = clock.now() + MAX_WAIT_MS;
  for (let pauseMs = MIN_PAUSE_MS; ; pauseMs *= 2) {
    // The filter has no way to quote an id.
    const isListed = await client.health.service(service, { filter, signal }).then(
      ({ body }) => body.some(({ Service }) => Service.ID === id),
      () => false,
    );
    signal.throwIfAborted();
    if (!isListed) return true;
    if (clock.now() + pauseMs > until) return false;
    await delay(clock, pauseMs, signal);
  }
}

/** Undefined: it cannot be read, for lack of permission for example. */
async function nodeOf(client: ConsulClient, signal: AbortSignal): Promise<string | undefined> {
  const self = await client.agent.self({ signal }).catch(() => undefined);
  signal.throwIfAborted();
  return self?.body.Config.NodeName;
}
