import type { ServiceInstance } from './service-instance.js';
import type { SourceQuery } from './service-query.js';

/**
 * How sure a list is: `live` is the registry's own word; `stale` comes from a part of it that may be behind, since it has
 * no leader; `cached` from a cache that it keeps current.
 */
export type ListSource = 'live' | 'stale' | 'cached';

/** One answer of a source: every instance of a service, whatever its status. */
export interface InstanceList {
  readonly instances: readonly ServiceInstance[];
  readonly source: ListSource;
  /** The source's own position, for those who look into it; Consul's index. */
  readonly index?: string | undefined;
  /** `watched`: it is told of changes. `polled`: it asks now and then. */
  readonly how?: 'watched' | 'polled';
}

/** How many connections a source has, and may have, for its watches. */
export interface ConnectionUse {
  readonly watches: number;
  readonly limit: number;
  /** Watches that have no connection of their own, and are asked for in turn. */
  readonly polled: number;
}

/**
 * Where instances are looked up: the half of a registry that discovery needs. An adapter moves data and reports errors;
 * everything that makes this safe (backoff, one loop for each query, doubt, ageing) is written once, above it.
 *
 * Every method rejects with a `DiscoveryError`, ends when its signal aborts, and has a deadline of its own.
 */
export abstract class InstanceSource {
  /** For messages: the kind of source and where it is, such as `Consul at http://127.0.0.1:8500`. */
  abstract readonly description: string;

  /** What its lists are lists of, for what outlives this process. Default: the description. */
  get identity(): string {
    return this.description;
  }

  /**
   * Yields the complete list of a service's instances, whatever their status: at once, and again after every change
   * (the same list twice is allowed). Throws on any error; the caller then starts a new iterator, so an adapter never
   * carries a position over an error.
   *
   * @throws DiscoveryError `RK_INVALID_ARGUMENT` for a query that this source cannot answer
   */
  abstract watch(service: string, query: SourceQuery, signal: AbortSignal): AsyncIterable<InstanceList>;

  /** The list as surely as the source can tell it: asked anew, and of the one who decides. */
  abstract confirm(
    service: string,
    query: SourceQuery,
    signal: AbortSignal,
  ): Promise<readonly ServiceInstance[]>;

  /** Names of all services and their tags. */
  abstract services(signal: AbortSignal): Promise<Readonly<Record<string, readonly string[]>>>;

  /** Whether the source answers, and whether what answers has a leader behind it. */
  abstract ping(signal: AbortSignal): Promise<{ readonly leader: boolean }>;

  /** Undefined: it has none to speak of. */
  get connections(): ConnectionUse | undefined {
    return undefined;
  }

  /** Releases every socket and timer. */
  abstract close(): Promise<void>;
}
