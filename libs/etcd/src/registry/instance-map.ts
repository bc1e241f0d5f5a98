import type { ServiceInstance } from '@rookery/discovery';
import { Interner, type InvalidInstance } from '@rookery/discovery/adapter';
import type { EtcdEvent, EtcdKeyValue } from '../client/key-value.js';
import type { InstanceKeys } from './instance-keys.js';
import { decodeValue, toServiceInstance } from './instance-value.js';

/** The instances of a service by their keys, kept current by the changes of a watch. */
export class InstanceMap {
  readonly #keys: InstanceKeys;
  readonly #service: string;
  readonly #interner = new Interner();
  readonly #instances = new Map<string, ServiceInstance>();
  readonly #invalid = new Map<string, InvalidInstance>();

  constructor(keys: InstanceKeys, service: string, values: readonly EtcdKeyValue[]) {
    this.#keys = keys;
    this.#service = service;
    for (const value of values) this.#put(value);
  }

  get instances(): readonly ServiceInstance[] {
    return [...this.#instances.values()];
  }

  /** What is there and cannot be used. */
  get invalid(): readonly InvalidInstance[] {
    return [...this.#invalid.values()];
  }

  /** @returns whether any of them is of this service */
  apply(events: readonly EtcdEvent[]): boolean {
    return events
      .map((event) => (event.type === 'put' ? this.#put(event) : this.#remove(event.key)))
      .includes(true);
  }

  #put({ key, value }: EtcdKeyValue): boolean {
    const place = this.#keys.parse(key);
    // A key of another service, whose name begins with this one and a slash.
    if (place?.service !== this.#service) return false;
    this.#remove(key);
    const decoded = decodeValue(value);
    if ('value' in decoded) {
      this.#instances.set(key, this.#interner.intern(toServiceInstance(place, decoded.value)));
    } else this.#invalid.set(key, { id: place.id, reason: decoded.reason });
    return true;
  }

  #remove(key: string): boolean {
    const wasInvalid = this.#invalid.delete(key);
    return this.#instances.delete(key) || wasInvalid;
  }
}
