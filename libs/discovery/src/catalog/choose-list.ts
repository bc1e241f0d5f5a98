/** Which of a view's sources is in use, and what is needed to return to a better one. */
export interface SourceChoice {
  readonly current: number;
  /** Sources that were left because they had too few instances: failback to one of them is delayed. */
  readonly abandoned: readonly number[];
  /** The better source that has enough instances again, and since when. */
  readonly candidate: { readonly source: number; readonly since: number } | undefined;
  /** When to choose again even if nothing changes; by the same clock. */
  readonly recheckAt: number | undefined;
}

export interface FailoverRule {
  /** Fewer usable instances than this are too few. */
  readonly minInstances: number;
  readonly failbackAfterMs: number;
}

/**
 * Chooses one of several sources, best first: the first that has enough usable instances, or else the first that has any.
 * Failover is immediate; failback is delayed, so that a flapping datacenter does not move all calls each time.
 *
 * @param usable the number of usable instances of each source; undefined: it has no list yet
 */
export function chooseList(
  usable: readonly (number | undefined)[],
  { minInstances, failbackAfterMs }: FailoverRule,
  before: SourceChoice | undefined,
  now: number,
): SourceChoice {
  const best = bestOf(usable, minInstances);
  const current = before?.current;
  const abandoned = before?.abandoned ?? [];
  const settled = { abandoned, candidate: undefined, recheckAt: undefined };
  if (current === undefined || best === current) return { ...settled, current: best };
  const isFailback = best < current && abandoned.includes(best);
  const mustLeave = (usable[current] ?? 0) < minInstances;
  if (isFailback && !mustLeave) {
    const since = before?.candidate?.source === best ? before.candidate.since : now;
    const recheckAt = since + failbackAfterMs;
    if (now < recheckAt) return { current, abandoned, candidate: { source: best, since }, recheckAt };
  }
  const nowAbandoned =
    best > current ? [...new Set([...abandoned, current])] : abandoned.filter((source) => source < best);
  return { ...settled, current: best, abandoned: nowAbandoned };
}

function bestOf(usable: readonly (number | undefined)[], minInstances: number): number {
  const find = (isGood: (count: number | undefined) => boolean): number | undefined => {
    const index = usable.findIndex(isGood);
    return index < 0 ? undefined : index;
  };
  return (
    find((count = 0) => count >= minInstances) ??
    find((count = 0) => count > 0) ??
    find((count) => count !== undefined) ??
    0
  );
}
