import type { PoolOptions } from '../balancing/target-pool.js';
import type { ServiceCatalog } from '../catalog/service-catalog.js';

/** What this app is, as far as zones are concerned. */
export interface OwnService {
  readonly name: string;
  readonly zone?: string | undefined;
}

/**
 * The zone that calls stay in, and how the instances of this app, which call as it does, spread over the zones: that decides
 * how much of its calls a zone can keep.
 *
 * @param wanted the option: `false` is no zone at all
 */
export function callerZones(
  catalog: ServiceCatalog,
  own: OwnService | undefined,
  wanted: string | false | undefined,
  environment: NodeJS.ProcessEnv,
): Pick<PoolOptions, 'zone' | 'callers'> {
  const { ROOKERY_ZONE: told } = environment;
  // A variable that is set to nothing is as good as none.
  const given = wanted ?? own?.zone ?? (told === '' ? undefined : told);
  const zone = given === false ? undefined : given;
  return {
    zone,
    callers: () => {
      if (zone === undefined || !own || catalog.isClosed) return undefined;
      const snapshot = catalog.open(own.name).use();
      if (!snapshot || snapshot.usable.length === 0) return undefined;
      const counts = new Map<string, number>();
      for (const { zone: at = '' } of snapshot.usable) counts.set(at, (counts.get(at) ?? 0) + 1);
      return counts;
    },
  };
}
