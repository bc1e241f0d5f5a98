import { delay, type Clock } from '@rookery/discovery/adapter';
import type { ConsulClient } from '../client/consul-client.js';

/** As often as the client reads a token file again. */
const INTERVAL_MS = 5_000;

/** Resolves when the token of the client has changed; rejects when the signal aborts. */
export async function untilTokenChanged(
  client: Pick<ConsulClient, 'tokenVersion' | 'refreshToken'>,
  clock: Clock,
  signal: AbortSignal,
): Promise<'changed'> {
  const { tokenVersion } = client;
  for (;;) {
    await delay(clock, INTERVAL_MS, signal);
    // A failure is reported by the request that needs the token.
    await client.refreshToken().catch(() => undefined);
    if (client.tokenVersion !== tokenVersion) return 'changed';
  }
}
