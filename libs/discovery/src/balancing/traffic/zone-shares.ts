/** With fewer instances than that, one zone's would be too few to take what its callers send. */
const FEWEST_TARGETS = 6;

export interface ZoneQuestion {
  /** The caller's own zone. */
  readonly own: string;
  /** How the callers of the service spread over the zones; undefined: evenly over those that have instances. */
  readonly callers: ReadonlyMap<string, number> | undefined;
  /** What the instances of each zone weigh together. */
  readonly capacity: ReadonlyMap<string, number>;
  readonly instances: number;
}

/**
 * Which share of its calls a caller sends to each zone; undefined: zones do not matter here. All stay in the own zone as
 * long as it has its share of the instances; what it has less goes to zones that have more than their callers need, in
 * proportion to that, so that no instance anywhere gets more than the others.
 * Source: Envoy's zone aware routing.
 */
export function zoneShares({
  own,
  callers,
  capacity,
  instances,
}: ZoneQuestion): ReadonlyMap<string, number> | undefined {
  const here = capacity.get(own) ?? 0;
  if (instances < FEWEST_TARGETS || capacity.size < 2 || here === 0) return undefined;
  const total = sum(capacity.values());
  const calling = callers && (callers.get(own) ?? 0) > 0 ? callers : evenly(capacity.keys());
  const allCalling = sum(calling.values());
  const capacityShare = (zone: string): number => (capacity.get(zone) ?? 0) / total;
  const callerShare = (zone: string): number => (calling.get(zone) ?? 0) / allCalling;
  const kept = Math.min(1, capacityShare(own) / callerShare(own));
  if (kept >= 1) return new Map([[own, 1]]);
  const spare = new Map(
    [...capacity.keys()]
      .filter((zone) => zone !== own)
      .map((zone) => [zone, Math.max(0, capacityShare(zone) - callerShare(zone))]),
  );
  const allSpare = sum(spare.values());
  const shares = new Map([[own, kept]]);
  for (const [zone, left] of spare) if (left > 0) shares.set(zone, ((1 - kept) * left) / allSpare);
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
