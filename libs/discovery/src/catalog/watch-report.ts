import type { ConnectionUse } from '../registry/instance-source.js';
import type { SourceQuery } from '../registry/service-query.js';

/** How one watch of a service stands. Durations are milliseconds. */
export interface WatchReport {
  /** The registry that is asked, and where it is. */
  readonly source: string;
  readonly query: SourceQuery;
  readonly state: 'starting' | 'current' | 'in doubt' | 'failing';
  readonly how: 'watched' | 'polled';
  /** The registry's position; Consul's index. */
  readonly index: string | undefined;
  /** How many answers have come. */
  readonly rounds: number;
  readonly confirmedAgo: number | undefined;
  readonly watchedFor: number;
  /** Failures in a row. */
  readonly failures: number;
  readonly error: string | undefined;
  readonly connections: ConnectionUse | undefined;
}
