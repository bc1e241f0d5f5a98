import type { TrackedTarget } from '../target/tracked-target.js';
import { slowStartShare } from './slow-start.js';
import { subsetOf } from './subset.js';
import { zoneShares } from './zone-shares.js';

/** Targets that share a part of the traffic: those of one zone, or all. */
export interface TargetGroup {
  readonly targets: readonly TrackedTarget[];
  /** The upper end of its range in [0, TRAFFIC_RANGE). */
  readonly upTo: number;
  /** Undefined: those of all zones; '': those without one. */
  readonly zone: string | undefined;
}

export interface ZoneAwareness {
  /** The caller's own zone; undefined: all zones are alike. */
  readonly zone: string | undefined;
  /** How the callers are distributed over the zones. */
  readonly callers: ReadonlyMap<string, number> | undefined;
}

/** Shares of the traffic are ranges of the integers below this, so that one random integer selects a group. */
export const TRAFFIC_RANGE = 2 ** 30;
/** The largest weight that Consul accepts. */
const MAX_WEIGHT = 65_535;

/** The weight of a target while it is new, or its registered one. */
export function effectiveWeight(target: TrackedTarget, now: number, isSlowStart: boolean): number {
  const share = isSlowStart ? slowStartShare(now - target.joinedAt) : 1;
  return Math.min(target.instance.weight, MAX_WEIGHT) * share;
}

export function wholeGroup(targets: readonly TrackedTarget[]): TargetGroup {
  return { targets, upTo: TRAFFIC_RANGE, zone: undefined };
}

/** Splits the traffic over zones, and a large service into this client's subset. */
export function splitTraffic(
  targets: readonly TrackedTarget[],
  { zone: own, callers }: ZoneAwareness,
): readonly TargetGroup[] {
  const all = wholeGroup(Object.freeze(subsetOf(targets)));
  if (own === undefined) return [all];
  const zones = groupByZone(targets);
  const capacity = new Map([...zones].map(([zone, members]) => [zone, totalWeight(members)]));
  const shares = zoneShares({ own, callers, capacity, instances: targets.length });
  if (!shares) return [all];
  let upTo = 0;
  return [...shares].map(([zone, share]) => {
    upTo += share * TRAFFIC_RANGE;
    return { targets: Object.freeze(subsetOf(zones.get(zone) ?? [])), upTo, zone };
  });
}

function groupByZone(targets: readonly TrackedTarget[]): Map<string, TrackedTarget[]> {
  const zones = new Map<string, TrackedTarget[]>();
  for (const target of targets) {
    const zone = target.instance.zone ?? '';
    const members = zones.get(zone);
    if (members) members.push(target);
    else zones.set(zone, [target]);
  }
  return zones;
}

function totalWeight(targets: readonly TrackedTarget[]): number {
  return targets.reduce((sum, { weight }) => sum + weight, 0);
}
