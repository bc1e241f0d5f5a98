import type { IncomingHttpHeaders } from 'node:http';

/** A response of Consul: the body, and the information in its headers. */
export interface ConsulResponse<T> {
  readonly body: T;
  /** For the next blocking query, through `nextIndex`. Opaque; undefined where the endpoint has none. */
  readonly index: string | undefined;
  /** Milliseconds since the server that responded last heard from the leader. */
  readonly lastContactMs: number | undefined;
  /** False: the servers had no leader. Newer agents may leave it out. */
  readonly knownLeader: boolean | undefined;
  /** True: entries were left out because the token may not read them (Consul 1.12 and later). */
  readonly filteredByAcls: boolean;
  /** For hash blocking on the agent's own services. */
  readonly contentHash: string | undefined;
  /** With `consistency: 'cached'`: whether the agent had it, and how old it is in seconds. */
  readonly cache: { readonly hit: boolean; readonly ageSeconds: number } | undefined;
}

export function toConsulResponse<T>(body: T, headers: IncomingHttpHeaders): ConsulResponse<T> {
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
    lastContactMs: lastContact === undefined ? undefined : Number(lastContact),
    knownLeader: knownLeader === undefined ? undefined : knownLeader === 'true',
    filteredByAcls: header('x-consul-results-filtered-by-acls') === 'true',
    contentHash: header('x-consul-contenthash'),
    cache: cache === undefined ? undefined : { hit: cache === 'HIT', ageSeconds: Number(header('age') ?? 0) },
  };
}

/**
 * The index for the next blocking query. It is an opaque 64-bit number with three rules: missing or 0 becomes 1 (0 would not
 * block), a smaller one than the last starts again (the servers lost or restored state), any other is used as it is.
 * Source: Consul's documentation, "Blocking Queries", implementation details.
 *
 * @returns undefined: the next query must not block
 */
export function nextIndex(previous: string | undefined, received: string | undefined): string | undefined {
  const index = received !== undefined && /^\d+$/.test(received) ? BigInt(received) : 0n;
  if (previous !== undefined && index < BigInt(previous)) return undefined;
  return index === 0n ? '1' : String(index);
}
