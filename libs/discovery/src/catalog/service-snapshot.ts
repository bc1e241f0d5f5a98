import type { ListSource } from '../registry/instance-source.js';
import type { ServiceInstance } from '../registry/service-instance.js';
import type { ServiceQuery } from '../registry/service-query.js';
import type { ListChanges } from './diff-lists.js';

/** Where a list comes from: `disk` was saved by an earlier process; the others say how certain the registry was. */
export type SnapshotSource = ListSource | 'disk';

/** The last known state of a service: immutable, and replaced as a whole when something changed. */
export interface ServiceSnapshot {
  readonly service: string;
  /** Every instance, whatever its status. */
  readonly instances: readonly ServiceInstance[];
  /** The instances in status *passing*. */
  readonly passing: readonly ServiceInstance[];
  /** The instances in status *passing* or *warning*. */
  readonly passingOrWarning: readonly ServiceInstance[];
  /** The instances that take traffic: *passing*, or *warning* where none is passing; without those in `unreachable`. */
  readonly usable: readonly ServiceInstance[];
  /** Instances that a suspicious update of the registry left out. They take traffic until the update is confirmed. */
  readonly suspects: readonly ServiceInstance[];
  /** Instances that failed this app's own probe while the registry was unreachable. They take traffic only when all have failed it. */
  readonly unreachable: readonly ServiceInstance[];
  /** How it differs from the previous snapshot. */
  readonly changes: ListChanges;
  /** 1 for the first snapshot, then one more with every change. */
  readonly version: number;
  readonly source: SnapshotSource;
  /** When the list was received, in milliseconds since 1970. */
  readonly receivedAt: number;
  /** Milliseconds since the registry last confirmed the list: at most about 64,000 while all is well. */
  readonly ageMs: number;
}

/** What a snapshot is made of; the rest is derived. */
export interface SnapshotParts extends Omit<
  ServiceSnapshot,
  'passing' | 'passingOrWarning' | 'usable' | 'ageMs'
> {
  /** The age of the list at the time of the call. */
  readonly ageMs: () => number;
}

class Snapshot implements ServiceSnapshot {
  readonly service: string;
  readonly instances: readonly ServiceInstance[];
  readonly passing: readonly ServiceInstance[];
  readonly passingOrWarning: readonly ServiceInstance[];
  readonly usable: readonly ServiceInstance[];
  readonly suspects: readonly ServiceInstance[];
  readonly unreachable: readonly ServiceInstance[];
  readonly changes: ListChanges;
  readonly version: number;
  readonly source: SnapshotSource;
  readonly receivedAt: number;
  readonly #ageMs: () => number;

  constructor(parts: SnapshotParts) {
    this.service = parts.service;
    this.instances = Object.freeze(parts.instances);
    this.passing = select(this.instances, ({ status }) => status === 'passing');
    this.passingOrWarning = select(
      this.instances,
      ({ status }) => status === 'passing' || status === 'warning',
    );
    this.suspects = parts.suspects;
    this.unreachable = parts.unreachable;
    this.usable = without(this.passing.length > 0 ? this.passing : this.passingOrWarning, parts.unreachable);
    this.changes = parts.changes;
    this.version = parts.version;
    this.source = parts.source;
    this.receivedAt = parts.receivedAt;
    this.#ageMs = parts.ageMs;
    Object.freeze(this);
  }

  get ageMs(): number {
    return this.#ageMs();
  }
}

export function createSnapshot(parts: SnapshotParts): ServiceSnapshot {
  return new Snapshot(parts);
}

/** The instances of a snapshot that a call with this query may go to. */
export function usableInstances(
  snapshot: ServiceSnapshot,
  { includeWarning }: ServiceQuery = {},
): readonly ServiceInstance[] {
  return includeWarning ? without(snapshot.passingOrWarning, snapshot.unreachable) : snapshot.usable;
}

/** Returns the same array when all match, as in most lists. */
function select(
  instances: readonly ServiceInstance[],
  matches: (instance: ServiceInstance) => boolean,
): readonly ServiceInstance[] {
  return instances.every(matches) ? instances : Object.freeze(instances.filter(matches));
}

/** Returns all instances when none would be left. */
function without(
  instances: readonly ServiceInstance[],
  excluded: readonly ServiceInstance[],
): readonly ServiceInstance[] {
  if (excluded.length === 0) return instances;
  const rest = instances.filter((instance) => !excluded.includes(instance));
  return rest.length > 0 ? Object.freeze(rest) : instances;
}
