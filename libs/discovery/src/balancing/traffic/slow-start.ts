const SLOW_START_MS = 30_000;
const INITIAL_SHARE = 0.1;

/** The share of its weight that an instance of this age gets: its caches are cold and its code is not compiled at first. */
export function slowStartShare(ageMs: number): number {
  return ageMs >= SLOW_START_MS ? 1 : Math.max(INITIAL_SHARE, ageMs / SLOW_START_MS);
}
