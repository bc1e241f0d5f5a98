import { isDeepStrictEqual } from 'node:util';

/** An object without a class of its own. */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  // Also of another realm, such as a vm context.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Instances of classes that were made for a version, and can be treated as plain objects. */
const owned = new WeakSet<object>();

/** Makes an instance, and everything in it, a part of a version: it is compared by its properties, and frozen. */
export function adopt(value: unknown): void {
  if (typeof value !== 'object' || value === null || owned.has(value) || ArrayBuffer.isView(value)) return;
  if (OPAQUE.some((type) => value instanceof type)) return;
  owned.add(value);
  for (const part of Object.values(value)) adopt(part);
}

const MAX_VALUES = 200_000;

/**
 * A copy of all objects and lists, to be shared and frozen: a schema may return objects that belong to someone else. What has a class of
 * its own is not copied.
 *
 * @throws Error when there are too many values; a few objects that contain each other several times may be millions
 */
export function copyPlain(value: unknown, counter = { left: MAX_VALUES }): unknown {
  if (--counter.left < 0) throw new Error(`more than ${MAX_VALUES} values`);
  if (Array.isArray(value)) return value.map((item: unknown) => copyPlain(item, counter));
  if (!isPlainObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, copyPlain(part, counter)]));
}

/**
 * The next version of the values, with every part that has not changed taken from the previous one: what is not changed is
 * the same object, so that comparing two versions is comparing references.
 *
 * @param next a copy of its own
 */
export function shareValues(previous: unknown, next: unknown): unknown {
  if (Object.is(previous, next)) return previous;
  const areContainers = isContainer(previous) && isContainer(next);
  if (!areContainers || Object.getPrototypeOf(previous) !== Object.getPrototypeOf(next))
    return isSameInstance(previous, next) ? previous : next;
  const names = Object.keys(next);
  // An object may have a name without a value, which is the same as not to have it; a list has its length.
  let isSame = Array.isArray(next)
    ? names.length === Object.keys(previous).length
    : Object.keys(previous).every((name) => Object.hasOwn(next, name) || previous[name] === undefined);
  for (const name of names) {
    const known = own(previous, name);
    const shared = shareValues(known, next[name]);
    if (!Object.is(shared, known)) isSame = false;
    next[name] = shared;
  }
  return isSame ? previous : next;
}

/** Freezes a version, so that no reader of it can change it for the others; not what has a class of its own. */
export function freezeValues<T>(values: T): T {
  if (!isContainer(values) || Object.isFrozen(values)) return values;
  for (const part of Object.values(values)) freezeValues(part);
  return Object.freeze(values);
}

/** The paths of all single values that differ. */
export function changedPaths(previous: unknown, next: unknown, path: readonly string[] = []): string[][] {
  if (Object.is(previous, next)) return [];
  const before = isContainer(previous) && !Array.isArray(previous) ? previous : undefined;
  const after = isContainer(next) && !Array.isArray(next) ? next : undefined;
  const isReplaced = (!before && previous !== undefined) || (!after && next !== undefined);
  if (isReplaced || (!before && !after)) return [[...path]];
  const names = new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})]);
  const paths = [...names].flatMap((name) =>
    changedPaths(own(before, name), own(after, name), [...path, name]),
  );
  // An object without values has come or gone.
  return paths.length === 0 && !(before && after) ? [[...path]] : paths;
}

/** The value at a path, or undefined. */
export function valueAt(values: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((at, name) => own(at, String(name)), values);
}

/** A version is compared and frozen recursively. */
export function isCyclic(value: unknown): boolean {
  const done = new Set<unknown>();
  const visit = (at: unknown, above: readonly unknown[]): boolean => {
    if (!isContainer(at) || done.has(at)) return false;
    if (above.includes(at)) return true;
    const found = Object.values(at).some((part) => visit(part, [...above, at]));
    done.add(at);
    return found;
  };
  return visit(value, []);
}

function own(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

/** A list, an object, or an instance that was adopted. */
export function isContainer(value: unknown): value is Record<string, unknown> {
  return (
    Array.isArray(value) ||
    isPlainObject(value) ||
    (typeof value === 'object' && value !== null && owned.has(value))
  );
}

/** Of a class that can be compared; of any other an instance is the same only if it is the same object. */
function isSameInstance(previous: unknown, next: unknown): boolean {
  if (previous instanceof URL && next instanceof URL) return previous.href === next.href;
  return (
    OPAQUE.some((type) => previous instanceof type && next instanceof type) &&
    isDeepStrictEqual(previous, next)
  );
}

const OPAQUE = [Date, Map, Set, RegExp, Uint8Array, URL] as const;
