import type { ServiceInstance } from '../registry/service-instance.js';
import { isUsable, type ServiceQuery } from '../registry/service-query.js';

/** What was last heard of a service: immutable, and replaced as a whole when something changed. */
export interface ServiceSnapshot {
  readonly service: string;
  /** Every instance, whatever its status. */
  readonly instances: readonly ServiceInstance[];
  /** Those that take traffic: status *passing*. */
  readonly passing: readonly ServiceInstance[];
  /** Those of status *passing* or *warning*. */
  readonly passingOrWarning: readonly ServiceInstance[];
  /** 1 for the first list, then one more with every change. */
  readonly version: number;
  /** When it came, in milliseconds since 1970. */
  readonly receivedAt: number;
}

export function createSnapshot(
  service: string,
  instances: readonly ServiceInstance[],
  version: number,
  receivedAt: number,
): ServiceSnapshot {
  return Object.freeze({
    service,
    instances: Object.freeze([...instances]),
    passing: Object.freeze(instances.filter((instance) => isUsable(instance))),
    passingOrWarning: Object.freeze(
      instances.filter((instance) => isUsable(instance, { includeWarning: true })),
    ),
    version,
    receivedAt,
  });
}

/** The instances of a snapshot that a caller with this query may be sent to. */
export function usableInstances(
  snapshot: ServiceSnapshot,
  query: ServiceQuery = {},
): readonly ServiceInstance[] {
  return query.includeWarning ? snapshot.passingOrWarning : snapshot.passing;
}
