/**
 * The next version of the values, with every part that has not changed taken from the previous one: what is not changed is
 * the same object, so that comparing two versions is comparing references.
 */
export function shareValues(previous: unknown, next: unknown): unknown {
  if (Object.is(previous, next)) return previous;
  if (
    !isBranch(previous) ||
    !isBranch(next) ||
    Object.getPrototypeOf(previous) !== Object.getPrototypeOf(next)
  )
    return isSameDate(previous, next) ? previous : next;
  const names = Object.keys(next);
  let isSame = names.length === Object.keys(previous).length;
  for (const name of names) {
    const shared = shareValues(previous[name], next[name]);
    if (!Object.hasOwn(previous, name) || !Object.is(shared, previous[name])) isSame = false;
    // A schema may have frozen its result.
    if (!Object.is(shared, next[name]) && !Object.isFrozen(next)) next[name] = shared;
  }
  return isSame ? previous : next;
}

/** Freezes a version, so that no reader of it can change it for the others. */
export function freezeValues<T>(values: T): T {
  if (!isBranch(values) || Object.isFrozen(values)) return values;
  for (const part of Object.values(values)) freezeValues(part);
  return Object.freeze(values);
}

/** The paths of all single values that differ. */
export function changedPaths(previous: unknown, next: unknown, path: readonly string[] = []): string[][] {
  if (Object.is(previous, next)) return [];
  const isObject = (value: unknown): value is Record<string, unknown> =>
    isBranch(value) && !Array.isArray(value);
  const before = isObject(previous) ? previous : undefined;
  const after = isObject(next) ? next : undefined;
  if ((!before && previous !== undefined) || (!after && next !== undefined) || (!before && !after))
    return [[...path]];
  const names = new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})]);
  // An object without values has come or gone.
  if (names.size === 0) return before && after ? [] : [[...path]];
  return [...names].flatMap((name) => changedPaths(own(before, name), own(after, name), [...path, name]));
}

/** The value at a path, or undefined. */
export function valueAt(values: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((at, name) => own(at, String(name)), values);
}

function own(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

/** An object or a list, or an instance of a class of the user. */
function isBranch(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  return !(
    value instanceof Date ||
    value instanceof Map ||
    value instanceof Set ||
    ArrayBuffer.isView(value)
  );
}

function isSameDate(previous: unknown, next: unknown): boolean {
  return previous instanceof Date && next instanceof Date && previous.getTime() === next.getTime();
}

export function isObjectLike(value: unknown): value is object {
  return isBranch(value) && !Array.isArray(value);
}

/** A version is compared and frozen recursively. */
export function isCyclic(value: unknown, above: readonly unknown[] = []): boolean {
  if (!isBranch(value)) return false;
  if (above.includes(value)) return true;
  return Object.values(value).some((part) => isCyclic(part, [...above, value]));
}
