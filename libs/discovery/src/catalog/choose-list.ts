/** Where a view stands: which of its lists is used, and what is needed to return to a better one. */
export interface LegChoice {
  readonly current: number;
  /** Lists that were left since they had too few: a return to one of them takes a while of good behaviour. */
  readonly left: readonly number[];
  /** Which better list has enough again, and since when. */
  readonly better: { readonly leg: number; readonly since: number } | undefined;
  /** When to choose again though nothing changed; by the same clock. */
  readonly lookAgainAt: number | undefined;
}

export interface FailoverRule {
  /** Fewer usable instances than this are too few. */
  readonly below: number;
  readonly returnAfterMs: number;
}

/**
 * Which of several lists is to be used, best first: the first that has enough; where none has, the first that has any.
 * Leaving a list is at once; the return waits, so that a datacenter that comes and goes does not move everybody each time.
 *
 * @param usable for each list how many instances may be used; undefined: there is no list yet
 */
export function chooseLeg(
  usable: readonly (number | undefined)[],
  { below, returnAfterMs }: FailoverRule,
  before: LegChoice | undefined,
  now: number,
): LegChoice {
  const best = bestOf(usable, below);
  const current = before?.current;
  const left = before?.left ?? [];
  const stay = { left, better: undefined, lookAgainAt: undefined };
  if (current === undefined || best === current) return { ...stay, current: best };
  const isReturn = best < current && left.includes(best);
  const mustLeave = (usable[current] ?? 0) < below;
  if (isReturn && !mustLeave) {
    const since = before?.better?.leg === best ? before.better.since : now;
    const lookAgainAt = since + returnAfterMs;
    if (now < lookAgainAt) return { current, left, better: { leg: best, since }, lookAgainAt };
  }
  const wasLeft = best > current ? [...new Set([...left, current])] : left.filter((leg) => leg < best);
  return { ...stay, current: best, left: wasLeft };
}

function bestOf(usable: readonly (number | undefined)[], below: number): number {
  const find = (isGood: (count: number | undefined) => boolean): number | undefined => {
    const at = usable.findIndex(isGood);
    return at < 0 ? undefined : at;
  };
  return (
    find((count = 0) => count >= below) ??
    find((count = 0) => count > 0) ??
    find((count) => count !== undefined) ??
    0
  );
}
