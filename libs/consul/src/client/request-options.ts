import type { Duration } from '@rookery/discovery';

/** The options of every call of the client. */
export interface ConsulRequestOptions {
  /** Aborts the call; it rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Deadline of this call. Default: `agent.timeout`, and for a blocking query its `wait` x 17/16 + 5 s. */
  timeout?: Duration;
  /** Default: that of the client, else the agent's own. */
  datacenter?: string;
  /** Consul Enterprise. Default: that of the client. */
  namespace?: string;
  /** Consul Enterprise. Default: that of the client. */
  partition?: string;
  /** ACL token of this call only. */
  token?: string;
}

/** The options of a read. */
export interface ConsulReadOptions extends ConsulRequestOptions {
  /**
   * `default`: from the leader, or from a server that was the leader a moment ago. `consistent`: from the leader, verified
   * by a quorum. `stale`: from any server, also without a leader. `cached`: from the agent's cache. Default: `default`.
   */
  consistency?: 'default' | 'consistent' | 'stale' | 'cached';
  /** Makes it a blocking query: it returns when something is newer than this, or after `wait`. */
  index?: string;
  /** How long a blocking query waits, 10 min at most. Default: `'60s'`. */
  wait?: Duration;
}

/** The options of a read of several entries, which Consul can filter. */
export interface ConsulListOptions extends ConsulReadOptions {
  /** A filter expression, such as `Service.Meta.tier == "gold"`. */
  filter?: string;
}
