import type { ServiceInstance } from './service-instance.js';
import type { SourceQuery } from './service-query.js';

/**
 * How certain a list is. `live`: the registry's own, current list. `stale`: from a server that may lag behind, since there
 * is no leader. `cached`: from a cache that the registry keeps current.
 */
export type ListSource = 'live' | 'stale' | 'cached';

/** An instance that the source lists and that cannot be used. */
export interface InvalidInstance {
  readonly id: string;
  /** What is wrong with it. */
  readonly reason: string;
}

/** One response of a source: every instance of a service, whatever its status. */
export interface InstanceList {
  readonly instances: readonly ServiceInstance[];
  readonly source: ListSource;
  /** The source's own position, for diagnostics; Consul's index. */
  readonly index?: string | undefined;
  /** `watched`: changes are pushed. `polled`: the list is read now and then. */
  readonly mode?: 'watched' | 'polled';
  /** Instances that the source left out, because no call could be made to them. */
  readonly invalid?: readonly InvalidInstance[];
}

/** The connections that a source uses, and may use, for its watches. */
export interface ConnectionUsage {
  readonly watches: number;
  readonly limit: number;
  /** Watches without a connection of their own, which are polled in turn. */
  readonly polled: number;
}

/**
 * Looks up instances: the half of a registry that discovery needs. An adapter moves data and reports errors; backoff, one
 * loop for each query, list protection and ageing are written once, in the core.
 *
 * Every method rejects with a `DiscoveryError`, ends when its signal aborts, and has a deadline of its own.
 */
export abstract class InstanceSource {
  /** For messages: the kind of source and where it is, such as `Consul at http://127.0.0.1:8500`. */
  abstract readonly description: string;

  /** Identifies the content of its lists, for caches that outlive this process. Default: the description. */
  get cacheKey(): string {
    return this.description;
  }

  /**
   * Yields the complete list of a service's instances, whatever their status: at once, and again after every change
   * (the same list twice is allowed). Throws on any error; the caller then starts a new iterator, so that an adapter never
   * carries a position over an error.
   *
   * @throws DiscoveryError `RK_INVALID_ARGUMENT` for a query that this source does not support
   */
  abstract watch(service: string, query: SourceQuery, signal: AbortSignal): AsyncIterable<InstanceList>;

  /** A fresh read with the strongest consistency that the source has, never from a cache. */
  abstract readConsistent(
    service: string,
    query: SourceQuery,
    signal: AbortSignal,
  ): Promise<readonly ServiceInstance[]>;

  /**
   * Why a service has no usable instance, in a sentence for the person who has to find out; undefined: nothing more is known.
   * Called when a call finds none, at most every ten seconds for each service.
   */
  async diagnose(_service: string, _query: SourceQuery, _signal: AbortSignal): Promise<string | undefined> {
    return undefined;
  }

  /** Names of all services and their tags. */
  abstract services(signal: AbortSignal): Promise<Readonly<Record<string, readonly string[]>>>;

  /** Whether the source answers, and whether it has a leader. */
  abstract ping(signal: AbortSignal): Promise<{ readonly leader: boolean }>;

  /** Undefined: the source has no limited connections. */
  get connections(): ConnectionUsage | undefined {
    return undefined;
  }

  /** Releases every socket and timer. */
  abstract close(): Promise<void>;
}
