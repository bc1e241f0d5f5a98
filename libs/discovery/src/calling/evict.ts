/** Takes out the oldest entry that is expendable; where none is, the oldest. What was made up goes before what is in use. */
export function evict<V>(entries: Map<string, V>, isExpendable: (value: V) => boolean): V | undefined {
  const found = [...entries].find(([, value]) => isExpendable(value)) ?? [...entries][0];
  if (found) entries.delete(found[0]);
  return found?.[1];
}
