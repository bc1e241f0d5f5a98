/** In a smaller service the few instances of one zone could not take the load of its callers. */
const MIN_INSTANCES = 6;

export interface ZoneTraffic {
  /** The caller's own zone. */
  readonly own: string;
  /** How the callers of the service are distributed over the zones; undefined: evenly over those that have instances. */
  readonly callers: ReadonlyMap<string, number> | undefined;
  /** The total weight of the instances of each zone. */
  readonly capacity: ReadonlyMap<string, number>;
  readonly instances: number;
}

/**
 * The share of its calls that a caller sends to each zone; undefined: zones do not matter here. All calls stay in the own
 * zone as long as it has its share of the capacity. The rest goes to zones with more capacity than their callers need, in
 * proportion to that surplus, so that no instance anywhere gets more load than the others.
 * Source: Envoy's zone aware routing.
 */
export function zoneShares({
  own,
  callers,
  capacity,
  instances,
}: ZoneTraffic): ReadonlyMap<string, number> | undefined {
  const ownCapacity = capacity.get(own) ?? 0;
  if (instances < MIN_INSTANCES || capacity.size < 2 || ownCapacity === 0) return undefined;
  const total = sum(capacity.values());
  const calling = callers && (callers.get(own) ?? 0) > 0 ? callers : evenly(capacity.keys());
  const allCalling = sum(calling.values());
  const capacityShare = (zone: string): number => (capacity.get(zone) ?? 0) / total;
  const callerShare = (zone: string): number => (calling.get(zone) ?? 0) / allCalling;
  const kept = Math.min(1, capacityShare(own) / callerShare(own));
  if (kept >= 1) return new Map([[own, 1]]);
  const surplus = new Map(
    [...capacity.keys()]
      .filter((zone) => zone !== own)
      .map((zone) => [zone, Math.max(0, capacityShare(zone) - callerShare(zone))]),
  );
  const allSurplus = sum(surplus.values());
  const shares = new Map([[own, kept]]);
  for (const [zone, spare] of surplus) if (spare > 0) shares.set(zone, ((1 - kept) * spare) / allSurplus);
  return shares;
}

function evenly(zones: Iterable<string>): ReadonlyMap<string, number> {
  return new Map([...zones].map((zone) => [zone, 1]));
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
