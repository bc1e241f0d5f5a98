const SLOW_START_MS = 30_000;
const FIRST_SHARE = 0.1;

/** Which share of its weight an instance of this age has: caches are cold and code is not compiled at first. */
export function slowStartShare(ageMs: number): number {
  return ageMs >= SLOW_START_MS ? 1 : Math.max(FIRST_SHARE, ageMs / SLOW_START_MS);
}
