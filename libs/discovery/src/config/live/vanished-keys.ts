const MAX_READ = 64;

/**
 * Which of the missing keys are read one by one, to see whether they were deleted or are only hidden from the token: all of
 * them, or of many at least one in each folder, since permissions are given by prefix.
 */
export function keysToRead(missing: readonly string[]): readonly string[] {
  if (missing.length <= MAX_READ) return missing;
  const byFolder = new Map<string, string>();
  for (const key of missing) {
    const folder = key.slice(0, key.lastIndexOf('/') + 1);
    if (!byFolder.has(folder)) byFolder.set(folder, key);
  }
  const chosen = [...byFolder.values()].slice(0, MAX_READ);
  // The rest evenly, since a rule may also be for a single key or for a part of a folder.
  const step = missing.length / (MAX_READ - chosen.length + 1);
  for (let at = step; chosen.length < MAX_READ && at < missing.length; at += step) {
    const key = missing[Math.floor(at)];
    if (key !== undefined) chosen.push(key);
  }
  return [...new Set(chosen)];
}
