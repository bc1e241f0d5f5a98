/** A timer may be early by a moment, and the clock of the host may have been set back by as much. */
const EARLY_MS = 50;
/** Ticks of a schedule are counted up to here. */
const MAX_TICKS = 10_000;

/** The first tick after a time, both in milliseconds since 1970; undefined: there is none. */
export type NextTick = (after: number) => number | undefined;

export interface Tick {
  /** When the schedule set it, in milliseconds since 1970: the same in every process, however late its timer is. */
  readonly at: number;
  /** To the next tick. */
  readonly gapMs: number;
}

/** The tick that a job runs for at the time `now`: the last one of its schedule. Undefined when the schedule has none lately. */
export function nominalTick(now: number, next: NextTick): Tick | undefined {
  const end = now + EARLY_MS;
  const following = next(end);
  if (following === undefined) return undefined;
  const gapMs = (next(following) ?? following + 1_000) - following;
  // The gaps of a schedule differ, such as that between Friday and Monday.
  for (const window of [gapMs + 1_000, 10 * gapMs + 10_000]) {
    let tick = next(end - window);
    if (tick === undefined || tick > end) continue;
    for (let count = 0; count < MAX_TICKS; count++) {
      const later = next(tick);
      if (later === undefined || later > end) return { at: tick, gapMs: following - tick };
      tick = later;
    }
  }
  return undefined;
}

/** How many ticks a schedule has between two others, both excluded. */
export function ticksBetween(first: number, last: number, next: NextTick): number {
  let count = 0;
  for (let tick = next(first); tick !== undefined && tick < last && count < MAX_TICKS; tick = next(tick))
    count++;
  return count;
}
