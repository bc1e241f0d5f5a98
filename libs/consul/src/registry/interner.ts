import { freezeInstance, type ServiceInstance } from '@rookery/discovery';

/** A service with more different values than this has no use for it. */
const MOST_KEPT = 1_000;

/** Instances of a service have most of their texts, tags and meta in common: each is kept once. */
export class Interner {
  readonly #texts = new Map<string, string>();
  readonly #tags = new Map<string, readonly string[]>();
  readonly #meta = new Map<string, Readonly<Record<string, string>>>();

  intern(instance: ServiceInstance): ServiceInstance {
    const { tags, meta, zone } = instance;
    return freezeInstance({
      ...instance,
      service: kept(this.#texts, instance.service, instance.service),
      datacenter: kept(this.#texts, instance.datacenter, instance.datacenter),
      node: kept(this.#texts, instance.node, instance.node),
      zone: zone === undefined ? undefined : kept(this.#texts, zone, zone),
      tags: kept(this.#tags, JSON.stringify(tags), tags),
      meta: kept(this.#meta, JSON.stringify(meta), meta),
    });
  }
}

function kept<T>(known: Map<string, T>, key: string, value: T): T {
  const found = known.get(key);
  if (found !== undefined) return found;
  if (known.size >= MOST_KEPT) known.clear();
  known.set(key, value);
  return value;
}
