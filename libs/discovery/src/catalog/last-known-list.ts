import type { ServiceInstance } from '../registry/service-instance.js';
import type { SnapshotSource } from './service-snapshot.js';

/** A list from before: of an earlier process, or of a watch that had ended since nobody used it. */
export interface SavedList {
  readonly instances: readonly ServiceInstance[];
  readonly source: SnapshotSource;
  /** When the registry last confirmed it, in milliseconds since 1970. */
  readonly confirmedAt: number;
}
