import { instanceKey, type ServiceInstance } from '../registry/service-instance.js';

/** What a list has that the one before had not, or had otherwise. */
export interface ListDifference {
  readonly added: readonly ServiceInstance[];
  readonly removed: readonly ServiceInstance[];
  /** As they are now. */
  readonly changed: readonly ServiceInstance[];
}

export const NO_DIFFERENCE: ListDifference = Object.freeze({
  added: Object.freeze([]),
  removed: Object.freeze([]),
  changed: Object.freeze([]),
});

export interface Succession {
  readonly instances: readonly ServiceInstance[];
  readonly difference: ListDifference;
}

/**
 * The next list, in which an instance that is as it was keeps its object: what others hold of it stays true, and
 * nothing is kept twice. Undefined when the two lists are equal, their order included.
 */
export function succeed(
  previous: readonly ServiceInstance[],
  next: readonly ServiceInstance[],
): Succession | undefined {
  if (previous.length === next.length && next.every((instance, at) => isSame(instance, previous[at])))
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
  const difference = Object.freeze({
    added: Object.freeze(added),
    removed: Object.freeze([...before.values()]),
    changed: Object.freeze(changed),
  });
  return { instances, difference };
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
    a.weight === b.weight &&
    a.zone === b.zone &&
    sameTexts(a.tags, b.tags) &&
    sameEntries(a.meta, b.meta)
  );
}

/** Of lists that `succeed` one another an instance that is as it was is the same object. */
export function sameMembers(a: readonly ServiceInstance[], b: readonly ServiceInstance[]): boolean {
  return a.length === b.length && a.every((instance, at) => instance === b[at]);
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a.every((text, at) => text === b[at]));
}

function sameEntries(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  if (a === b) return true;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
