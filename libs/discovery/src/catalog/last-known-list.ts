import type { ServiceInstance } from '../registry/service-instance.js';
import type { SnapshotSource } from './service-snapshot.js';

/** A list that an earlier process saved, or the last one of a watch that was stopped because it was idle. */
export interface LastKnownList {
  readonly instances: readonly ServiceInstance[];
  readonly source: SnapshotSource;
  /** When the registry last confirmed it, in milliseconds since 1970. */
  readonly confirmedAt: number;
}
