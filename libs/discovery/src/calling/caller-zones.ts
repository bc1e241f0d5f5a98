import type { PoolOptions } from '../balancing/target-pool.js';
import type { ServiceCatalog } from '../catalog/service-catalog.js';

/** The service that this app is registered as. */
export interface OwnService {
  readonly name: string;
}

/**
 * The zone that calls stay in, and how the instances of this app, which make the same calls, are distributed over the
 * zones: that decides how many of its calls a zone can keep.
 *
 * @param zone undefined: calls go to all zones alike
 */
export function callerZones(
  catalog: ServiceCatalog,
  own: OwnService | undefined,
  zone: string | undefined,
): Pick<PoolOptions, 'zone' | 'callers'> {
  return {
    zone,
    callers: () => {
      if (zone === undefined || !own || catalog.isClosed) return undefined;
      const snapshot = catalog.open(own.name).touch();
      if (!snapshot || snapshot.usable.length === 0) return undefined;
      const counts = new Map<string, number>();
      for (const { zone: other = '' } of snapshot.usable) counts.set(other, (counts.get(other) ?? 0) + 1);
      return counts;
    },
  };
}
