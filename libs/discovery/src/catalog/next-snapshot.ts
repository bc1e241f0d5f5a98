import { instanceKey, type ServiceInstance } from '../registry/service-instance.js';
import { diffLists, NO_CHANGES, sameMembers } from './diff-lists.js';
import { createSnapshot, type ServiceSnapshot, type SnapshotSource } from './service-snapshot.js';

/** What is known now, to be compared with the previous snapshot. */
export interface SnapshotInput {
  readonly service: string;
  readonly instances: readonly ServiceInstance[];
  /** Keys of the instances that are suspects. */
  readonly suspects: ReadonlySet<string>;
  /** Keys of the instances that failed a probe while the registry was unreachable. */
  readonly unreachable: ReadonlySet<string>;
  readonly source: SnapshotSource;
  /** When the instances were received, in milliseconds since 1970. */
  readonly receivedAt: number;
  readonly ageMs: () => number;
}

/** The snapshot after the previous one; undefined when nothing changed. Instances that did not change keep their objects. */
export function nextSnapshot(
  previous: ServiceSnapshot | undefined,
  input: SnapshotInput,
): ServiceSnapshot | undefined {
  const update = previous && diffLists(previous.instances, input.instances);
  const instances = update?.instances ?? previous?.instances ?? [...input.instances];
  const suspects = selectByKey(instances, input.suspects);
  const unreachable = selectByKey(instances, input.unreachable);
  if (
    previous &&
    !update &&
    previous.source === input.source &&
    sameMembers(previous.suspects, suspects) &&
    sameMembers(previous.unreachable, unreachable)
  )
    return undefined;
  return createSnapshot({
    service: input.service,
    instances,
    suspects,
    unreachable,
    changes: update?.changes ?? NO_CHANGES,
    version: (previous?.version ?? 0) + 1,
    source: input.source,
    receivedAt: update || !previous ? input.receivedAt : previous.receivedAt,
    ageMs: input.ageMs,
  });
}

function selectByKey(
  instances: readonly ServiceInstance[],
  keys: ReadonlySet<string>,
): readonly ServiceInstance[] {
  return Object.freeze(
    keys.size === 0 ? [] : instances.filter((instance) => keys.has(instanceKey(instance))),
  );
}
