import { delay, type Clock } from '@rookery/discovery/adapter';
import type { ConsulClient } from '../client/consul-client.js';

/** As often as the client reads a token file again. */
const INTERVAL_MS = 5_000;

/** Resolves when the client has another token than this one; rejects when the signal aborts. */
export async function untilTokenChanged(
  client: Pick<ConsulClient, 'tokenVersion' | 'refreshToken'>,
  tokenVersion: number | undefined,
  clock: Clock,
  signal: AbortSignal,
): Promise<'changed'> {
  while (client.tokenVersion === tokenVersion) {
    await delay(clock, INTERVAL_MS, signal);
    // A failure is reported by the request that needs the token.
    await client.refreshToken().catch(() => undefined);
  }
  return 'changed';
}
