/** The other names that someone may have meant, closest first: within a quarter of the letters, or one. */
export function closeNames(name: string, names: readonly string[], limit = 3): string[] {
  const within = Math.max(1, Math.floor(name.length / 4));
  return names
    .filter((other) => other !== name)
    .map((other) => ({ other, distance: editDistance(name.toLowerCase(), other.toLowerCase(), within) }))
    .filter(({ distance }) => distance <= within)
    .sort((a, b) => a.distance - b.distance || a.other.localeCompare(b.other))
    .slice(0, limit)
    .map(({ other }) => other);
}

/**
 * How many letters have to be inserted, removed or replaced. Source: Wagner, Fischer, "The String-to-String Correction Problem",
 * Journal of the ACM 21(1), 1974.
 */
function editDistance(from: string, to: string, within: number): number {
  if (Math.abs(from.length - to.length) > within) return Infinity;
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const isSame = from[row - 1] === to[column - 1];
      const [above = 0, diagonal = 0, left = 0] = [
        previous[column],
        previous[column - 1],
        current[column - 1],
      ];
      current.push(Math.min(above + 1, left + 1, diagonal + (isSame ? 0 : 1)));
    }
    if (Math.min(...current) > within) return Infinity;
    previous = current;
  }
  return previous[to.length] ?? Infinity;
}
