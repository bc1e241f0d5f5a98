import { type Clock, delay, systemClock } from '@rookery/discovery/adapter';
import type { ConnectLeaf, ConnectRoots } from '../client/api/types.js';
import type { ConsulClient } from '../client/consul-client.js';
import type { ConsulResponse } from '../client/consul-response.js';
import type { ConsulReadOptions } from '../client/request-options.js';
import { WatchPosition } from '../client/watch-position.js';
import { assertIntentions, type IntentionRules } from './intention-decision.js';

export interface ConnectWatchOptions {
  readonly signal: AbortSignal;
  /** How long one request waits, in milliseconds. */
  readonly waitMs: () => number;
  readonly clock?: Clock;
}

/** Not the name of a service: what is decided about it is what is decided where no intention applies. */
const NO_SERVICE = 'rookery-no-service';
const ANY = '*';
/** How Consul begins its reason where an intention has decided: `Matched intention: …`, later `Matched L4 intention: …`. */
const MATCHED = /^matched/i;
const MAX_TRIES = 20;
const TRY_AGAIN_MS = 50;

/** The authorities: at present, and each change. It throws at the first error; start a new one then. */
export function watchRoots(client: ConsulClient, options: ConnectWatchOptions): AsyncIterable<ConnectRoots> {
  return changes(client, (read) => client.connect.roots(read), options);
}

/** The certificate of a service: at present, and each new one. It throws at the first error; start a new one then. */
export function watchLeaf(
  client: ConsulClient,
  service: string,
  options: ConnectWatchOptions,
): AsyncIterable<ConnectLeaf> {
  return changes(client, (read) => client.connect.leaf(service, read), options);
}

/** Which services may call one: at present, and each change. It throws at the first error; start a new one then. */
export async function* watchIntentions(
  client: ConsulClient,
  { service, trustDomain }: { readonly service: string; readonly trustDomain: string },
  options: ConnectWatchOptions,
): AsyncIterable<IntentionRules> {
  const { signal } = options;
  const datacenter = client.scope[0] ?? 'dc1';
  const noService = `spiffe://${trustDomain}/ns/default/dc/${datacenter}/svc/${NO_SERVICE}`;
  let allowsByDefault: boolean | undefined;
  // That of one service has no index on Consul 1.8; this one has, whatever the token may read of it.
  for await (const _ of changes(client, (read) => client.connect.intentions(read), options)) {
    const intentions = await client.connect.intentionsFor(service, { signal });
    assertIntentions(intentions);
    // While there is one for all callers, Consul does not tell its default, and none needs it.
    if (!intentions.some(({ SourceName }) => SourceName === ANY))
      allowsByDefault ??= await askForDefault(client, service, noService, options);
    yield { intentions, allowsByDefault: allowsByDefault ?? false };
  }
}

/**
 * What Consul decides where no intention applies; it changes with a restart of the agent only, which ends the watch.
 *
 * @throws Error while the agent still decides by an intention that has been deleted
 */
async function askForDefault(
  client: ConsulClient,
  service: string,
  noService: string,
  { signal, clock = systemClock }: ConnectWatchOptions,
): Promise<boolean> {
  for (let tries = 1; tries <= MAX_TRIES; tries++) {
    const answer = await client.connect.authorize(service, noService, { signal });
    // It decides about access: nothing else than what Consul documents allows any.
    const { Authorized, Reason }: { readonly Authorized: unknown; readonly Reason: unknown } = answer;
    // The agent has the intentions in a cache of its own, which is a moment older.
    if (!MATCHED.test(String(Reason))) return Authorized === true;
    await delay(clock, TRY_AGAIN_MS, signal);
  }
  throw new Error(`Consul does not tell what it decides where no intention for "${service}" applies`);
}

async function* changes<T>(
  client: ConsulClient,
  read: (options: ConsulReadOptions) => Promise<ConsulResponse<T>>,
  { signal, waitMs, clock = systemClock }: ConnectWatchOptions,
): AsyncIterable<T> {
  const position = new WatchPosition(client);
  for (;;) {
    const { index } = position;
    const sentAt = clock.now();
    const wait = client.waitWithin(waitMs());
    const response = await read({ signal, ...(index === undefined ? {} : { index, wait }) });
    position.advance(response.index, index !== undefined && clock.now() - sentAt < wait);
    yield response.body;
  }
}
