/**
 * `near=`: those on the node that is named come first, the others as they were. Of all nodes here only the agent's
 * own has a place in the network, as on a server of one; without a place nothing can be nearer.
 */
export function nearestFirst<T>(
  list: readonly T[],
  near: string | null | undefined,
  ownNode: string,
  nodeOf: (item: T) => string,
): T[] {
  if (near !== '_agent' && near !== ownNode) return [...list];
  const isNear = (item: T): boolean => nodeOf(item) === ownNode;
  return [...list.filter(isNear), ...list.filter((item) => !isNear(item))];
}
