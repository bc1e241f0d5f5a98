import type { ListSource } from '../registry/instance-source.js';
import type { ServiceInstance } from '../registry/service-instance.js';
import type { ServiceQuery } from '../registry/service-query.js';
import type { ListDifference } from './diff-lists.js';

/** Where a list is from: `disk` is what an earlier process wrote down; the others say how sure the registry was. */
export type SnapshotSource = ListSource | 'disk';

/** What was last heard of a service: immutable, and replaced as a whole when something changed. */
export interface ServiceSnapshot {
  readonly service: string;
  /** Every instance, whatever its status. */
  readonly instances: readonly ServiceInstance[];
  /** Those of status *passing*. */
  readonly passing: readonly ServiceInstance[];
  /** Those of status *passing* or *warning*. */
  readonly passingOrWarning: readonly ServiceInstance[];
  /** Those that take traffic: who passes, and where nobody does, who is *warning*; less those in `avoided`. */
  readonly usable: readonly ServiceInstance[];
  /** Those that the registry left out of its last answer, and that are not believed to be gone. They take traffic. */
  readonly suspects: readonly ServiceInstance[];
  /** Those that this app found silent while the registry was away. They take traffic only when all are. */
  readonly avoided: readonly ServiceInstance[];
  /** What is new, compared to the snapshot before. */
  readonly difference: ListDifference;
  /** 1 for the first list, then one more with every change. */
  readonly version: number;
  readonly source: SnapshotSource;
  /** When it came, in milliseconds since 1970. */
  readonly receivedAt: number;
  /** For how many milliseconds nobody has confirmed it: at most about 64 s while all is well. */
  readonly age: number;
}

/** What a snapshot is made of; the rest of it follows. */
export interface SnapshotParts extends Omit<
  ServiceSnapshot,
  'passing' | 'passingOrWarning' | 'usable' | 'age'
> {
  /** Tells the age of the list as time goes by. */
  readonly age: () => number;
}

class Snapshot implements ServiceSnapshot {
  readonly service: string;
  readonly instances: readonly ServiceInstance[];
  readonly passing: readonly ServiceInstance[];
  readonly passingOrWarning: readonly ServiceInstance[];
  readonly usable: readonly ServiceInstance[];
  readonly suspects: readonly ServiceInstance[];
  readonly avoided: readonly ServiceInstance[];
  readonly difference: ListDifference;
  readonly version: number;
  readonly source: SnapshotSource;
  readonly receivedAt: number;
  readonly #age: () => number;

  constructor(parts: SnapshotParts) {
    this.service = parts.service;
    this.instances = Object.freeze(parts.instances);
    this.passing = only(this.instances, ({ status }) => status === 'passing');
    this.passingOrWarning = only(
      this.instances,
      ({ status }) => status === 'passing' || status === 'warning',
    );
    this.suspects = parts.suspects;
    this.avoided = parts.avoided;
    this.usable = without(this.passing.length > 0 ? this.passing : this.passingOrWarning, parts.avoided);
    this.difference = parts.difference;
    this.version = parts.version;
    this.source = parts.source;
    this.receivedAt = parts.receivedAt;
    this.#age = parts.age;
    Object.freeze(this);
  }

  get age(): number {
    return this.#age();
  }
}

export function createSnapshot(parts: SnapshotParts): ServiceSnapshot {
  return new Snapshot(parts);
}

/** The instances of a snapshot that a caller with this query may be sent to. */
export function usableInstances(
  snapshot: ServiceSnapshot,
  { includeWarning }: ServiceQuery = {},
): readonly ServiceInstance[] {
  return includeWarning ? without(snapshot.passingOrWarning, snapshot.avoided) : snapshot.usable;
}

/** The very same array when nothing is taken out: most lists have nobody who does not pass. */
function only(
  instances: readonly ServiceInstance[],
  isMeant: (instance: ServiceInstance) => boolean,
): readonly ServiceInstance[] {
  return instances.every(isMeant) ? instances : Object.freeze(instances.filter(isMeant));
}

/** All of them, where none would be left. */
function without(
  instances: readonly ServiceInstance[],
  avoided: readonly ServiceInstance[],
): readonly ServiceInstance[] {
  if (avoided.length === 0) return instances;
  const rest = instances.filter((instance) => !avoided.includes(instance));
  return rest.length > 0 ? Object.freeze(rest) : instances;
}
