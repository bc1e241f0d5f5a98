import type { ConnectionUsage, InvalidInstance } from '../registry/instance-source.js';
import type { SourceQuery } from '../registry/service-query.js';

/** The state of one watch of a service. */
export interface WatchReport {
  /** The registry, and where it is. */
  readonly source: string;
  readonly query: SourceQuery;
  /** `suspect`: a suspicious update is being investigated. */
  readonly state: 'starting' | 'current' | 'suspect' | 'failing';
  readonly mode: 'watched' | 'polled';
  /** The registry's position; Consul's index. */
  readonly index: string | undefined;
  /** The number of lists that were received. */
  readonly updates: number;
  /** Of these, lists that changed nothing: spurious wake-ups. */
  readonly spurious: number;
  /** How often the watch was started again after an error. */
  readonly reconnects: number;
  /** Milliseconds since the registry last confirmed the list; undefined: there is none. */
  readonly confirmedAgoMs: number | undefined;
  /** Milliseconds since the watch was started. */
  readonly uptimeMs: number;
  /** Consecutive failures. */
  readonly failures: number;
  readonly error: string | undefined;
  readonly connections: ConnectionUsage | undefined;
  /** Instances that the registry lists and that are left out, because no call could be made to them. */
  readonly invalid: readonly InvalidInstance[];
}
