import { freezeInstance, type ServiceInstance } from './service-instance.js';

/** With more distinct values than this, sharing them saves nothing. */
const MAX_VALUES = 1_000;

/** Shares equal strings, tags and meta between the instances of a service, which mostly have the same. */
export class Interner {
  readonly #strings = new Map<string, string>();
  readonly #tags = new Map<string, readonly string[]>();
  readonly #meta = new Map<string, Readonly<Record<string, string>>>();

  intern(instance: ServiceInstance): ServiceInstance {
    const { tags, meta, zone } = instance;
    return freezeInstance({
      ...instance,
      service: shared(this.#strings, instance.service, instance.service),
      datacenter: shared(this.#strings, instance.datacenter, instance.datacenter),
      node: shared(this.#strings, instance.node, instance.node),
      zone: zone === undefined ? undefined : shared(this.#strings, zone, zone),
      tags: shared(this.#tags, JSON.stringify(tags), tags),
      meta: shared(this.#meta, JSON.stringify(meta), meta),
    });
  }
}

function shared<T>(values: Map<string, T>, key: string, value: T): T {
  const known = values.get(key);
  if (known !== undefined) return known;
  if (values.size >= MAX_VALUES) values.clear();
  values.set(key, value);
  return value;
}
