import type { IncomingHttpHeaders } from 'node:http';

/** An answer of Consul: the body, and what the headers say of it. */
export interface ConsulAnswer<T> {
  readonly body: T;
  /** To be given to the next blocking query, with `nextIndex`. Opaque; undefined where the endpoint has none. */
  readonly index: string | undefined;
  /** Milliseconds since the server that answered last heard from the leader. */
  readonly lastContact: number | undefined;
  /** False: the servers had no leader when they answered. Newer agents may leave it out. */
  readonly knownLeader: boolean | undefined;
  /** True: entries were left out because the token may not see them (Consul 1.12 and later tell). */
  readonly filteredByAcls: boolean;
  /** For hash blocking on the agent's own services. */
  readonly contentHash: string | undefined;
  /** With `consistency: 'cached'`: whether the agent had it, and how old it is in seconds. */
  readonly cache: { readonly hit: boolean; readonly ageSeconds: number } | undefined;
}

export function answerOf<T>(body: T, headers: IncomingHttpHeaders): ConsulAnswer<T> {
  const header = (name: string): string | undefined => {
    const value = headers[name];
    return Array.isArray(value) ? value[0] : value;
  };
  const lastContact = header('x-consul-lastcontact');
  const knownLeader = header('x-consul-knownleader');
  const cache = header('x-cache');
  return {
    body,
    index: header('x-consul-index'),
    lastContact: lastContact === undefined ? undefined : Number(lastContact),
    knownLeader: knownLeader === undefined ? undefined : knownLeader === 'true',
    filteredByAcls: header('x-consul-results-filtered-by-acls') === 'true',
    contentHash: header('x-consul-contenthash'),
    cache: cache === undefined ? undefined : { hit: cache === 'HIT', ageSeconds: Number(header('age') ?? 0) },
  };
}

/**
 * The index to block on next. It is an opaque 64-bit number with three rules: missing or 0 becomes 1 (0 would not
 * block), smaller than the last one starts anew (the servers lost or restored state), else it is used as it is.
 * Source: Consul's documentation, "Blocking Queries", implementation details.
 *
 * @returns undefined to ask without blocking
 */
export function nextIndex(previous: string | undefined, received: string | undefined): string | undefined {
  const index = received !== undefined && /^\d+$/.test(received) ? BigInt(received) : 0n;
  if (previous !== undefined && index < BigInt(previous)) return undefined;
  return index === 0n ? '1' : String(index);
}
