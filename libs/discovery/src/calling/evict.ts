/** Removes the oldest entry that is expendable, or else the oldest of all: made-up names are evicted before those in use. */
export function evict<V>(entries: Map<string, V>, isExpendable: (value: V) => boolean): V | undefined {
  const found = [...entries].find(([, value]) => isExpendable(value)) ?? [...entries][0];
  if (found) entries.delete(found[0]);
  return found?.[1];
}
