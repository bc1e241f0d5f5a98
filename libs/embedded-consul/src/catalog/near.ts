/**
 * `near=`: instances on the named node come first, the others keep their order. Only the agent's own node has a network
 * coordinate, as on a single server; without a coordinate nothing can be nearer.
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
