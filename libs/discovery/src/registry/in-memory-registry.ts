import { EventEmitter, on } from 'node:events';
import { DiscoveryError } from '../errors/discovery-error.js';
import { freezeInstance, type InstanceStatus, type ServiceInstance } from './service-instance.js';
import { matchesLabels, type ServiceQuery } from './service-query.js';
import type { ServiceRegistration } from './service-registration.js';
import { ServiceRegistry } from './service-registry.js';

/**
 * A registry in this process, for unit tests: no server, no network, and it can be made to fail.
 *
 * @example
 * ```ts
 * const registry = new InMemoryRegistry();
 * registry.put({ service: 'inventory', port: 3001 });
 * registry.fail();      // every call and every watch now ends in RK_REGISTRY_UNREACHABLE
 * registry.recover();
 * ```
 */
export class InMemoryRegistry extends ServiceRegistry {
  override readonly description: string = 'the in-memory registry';
  override readonly host = '127.0.0.1';
  override readonly knowsNodeAddress = true;

  readonly #instances = new Map<string, ServiceInstance>();
  readonly #changes = new EventEmitter().setMaxListeners(0);
  #failing = false;
  /** How often each method was called, so that a test can tell what was *not* asked. */
  readonly requests = { register: 0, deregister: 0, watchRegistration: 0, watch: 0, services: 0 };

  /** Adds or replaces an instance; what is left out has a plain default. */
  put(instance: Partial<ServiceInstance> & Pick<ServiceInstance, 'service' | 'port'>): ServiceInstance {
    const whole = freezeInstance({
      id: `${instance.service}-${instance.port}`,
      address: '127.0.0.1',
      secure: false,
      tags: [],
      meta: {},
      status: 'passing',
      weight: 1,
      zone: undefined,
      node: 'memory',
      datacenter: 'dc1',
      ...instance,
    });
    this.#instances.set(whole.id, whole);
    this.#changes.emit('change');
    return whole;
  }

  setStatus(id: string, status: InstanceStatus): void {
    const instance = this.#instances.get(id);
    if (!instance) throw new DiscoveryError('RK_NOT_FOUND', `no instance "${id}" in ${this.description}`);
    this.put({ ...instance, status });
  }

  remove(id: string): void {
    this.#instances.delete(id);
    this.#changes.emit('change');
  }

  /** From now on every call fails and every running watch ends with an error. */
  fail(): void {
    this.#failing = true;
    this.#changes.emit('change');
  }

  recover(): void {
    this.#failing = false;
  }

  override async register(registration: ServiceRegistration): Promise<void> {
    this.requests.register++;
    this.#check();
    this.put({
      id: registration.id,
      service: registration.service,
      address: registration.address ?? '127.0.0.1',
      port: registration.port,
      secure: registration.secure,
      tags: [...registration.tags],
      meta: { ...registration.meta },
      status: registration.status,
      weight: registration.weights?.passing ?? 1,
    });
  }

  override async deregister(id: string): Promise<void> {
    this.requests.deregister++;
    this.#check();
    this.remove(id);
  }

  override watchRegistration(id: string, signal: AbortSignal): AsyncIterable<boolean> {
    this.requests.watchRegistration++;
    return this.#watched(() => this.#instances.has(id), signal);
  }

  override watch(
    service: string,
    query: ServiceQuery,
    signal: AbortSignal,
  ): AsyncIterable<ServiceInstance[]> {
    this.requests.watch++;
    return this.#watched(
      () => [...this.#instances.values()].filter((i) => i.service === service && matchesLabels(i, query)),
      signal,
    );
  }

  override async services(): Promise<Record<string, string[]>> {
    this.requests.services++;
    this.#check();
    const services: Record<string, string[]> = {};
    for (const { service, tags } of this.#instances.values()) {
      services[service] = [...new Set([...(services[service] ?? []), ...tags])];
    }
    return services;
  }

  override async close(): Promise<void> {
    this.#changes.removeAllListeners();
  }

  async *#watched<T>(read: () => T, signal: AbortSignal): AsyncGenerator<T> {
    // Listening begins before the first read, so that no change falls between the two.
    const changes = on(this.#changes, 'change', { signal });
    try {
      this.#check();
      yield read();
      for await (const _ of changes) {
        this.#check();
        yield read();
      }
    } finally {
      await changes.return?.();
    }
  }

  #check(): void {
    if (!this.#failing) return;
    throw new DiscoveryError('RK_REGISTRY_UNREACHABLE', `${this.description} was told to fail`);
  }
}
