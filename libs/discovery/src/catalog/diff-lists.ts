import { instanceKey, type ServiceInstance } from '../registry/service-instance.js';

/** How a list differs from the previous one. */
export interface ListChanges {
  readonly added: readonly ServiceInstance[];
  readonly removed: readonly ServiceInstance[];
  /** In their new state. */
  readonly changed: readonly ServiceInstance[];
}

export const NO_CHANGES: ListChanges = Object.freeze({
  added: Object.freeze([]),
  removed: Object.freeze([]),
  changed: Object.freeze([]),
});

export interface ListUpdate {
  readonly instances: readonly ServiceInstance[];
  readonly changes: ListChanges;
}

/**
 * Compares two lists. In the result an instance that did not change keeps its object, so that references to it stay valid
 * and nothing is stored twice. Undefined when the two lists are equal, their order included.
 */
export function diffLists(
  previous: readonly ServiceInstance[],
  next: readonly ServiceInstance[],
): ListUpdate | undefined {
  if (previous.length === next.length && next.every((instance, index) => isSame(instance, previous[index])))
    return undefined;
  const before = new Map(previous.map((instance) => [instanceKey(instance), instance]));
  const added: ServiceInstance[] = [];
  const changed: ServiceInstance[] = [];
  const instances = next.map((instance) => {
    const key = instanceKey(instance);
    const known = before.get(key);
    before.delete(key);
    if (known && isSame(known, instance)) return known;
    (known ? changed : added).push(instance);
    return instance;
  });
  const changes = Object.freeze({
    added: Object.freeze(added),
    removed: Object.freeze([...before.values()]),
    changed: Object.freeze(changed),
  });
  return { instances, changes };
}

export function isSame(a: ServiceInstance, b: ServiceInstance | undefined): boolean {
  if (a === b) return true;
  return (
    a.id === b?.id &&
    a.status === b.status &&
    a.port === b.port &&
    a.address === b.address &&
    a.node === b.node &&
    a.datacenter === b.datacenter &&
    a.service === b.service &&
    a.secure === b.secure &&
    a.inMesh === b.inMesh &&
    a.weight === b.weight &&
    a.zone === b.zone &&
    sameElements(a.tags, b.tags) &&
    sameEntries(a.meta, b.meta)
  );
}

/** Compares by identity, which is enough for lists that went through `diffLists`. */
export function sameMembers(a: readonly ServiceInstance[], b: readonly ServiceInstance[]): boolean {
  return a.length === b.length && a.every((instance, index) => instance === b[index]);
}

function sameElements(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a.every((element, index) => element === b[index]));
}

function sameEntries(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  if (a === b) return true;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
