import { EventEmitter, on } from 'node:events';
import { DiscoveryError } from '../errors/discovery-error.js';
import { freezeInstance, type InstanceStatus, type ServiceInstance } from '../registry/service-instance.js';
import type { InstanceList, ListSource } from '../registry/instance-source.js';
import type { SourceQuery } from '../registry/service-query.js';
import type {
  CheckStatus,
  RegistrationRecord,
  ServiceRegistration,
} from '../registry/service-registration.js';
import { ServiceRegistry, type RegistrationChange } from '../registry/service-registry.js';

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
  override readonly credentials = 0;

  readonly #instances = new Map<string, ServiceInstance>();
  readonly #changes = new EventEmitter().setMaxListeners(0);
  #failing = false;
  #shown: readonly ServiceInstance[] | undefined;
  #isCertain = false;
  #isSilent = false;
  #source: ListSource = 'live';
  #restarts = 0;
  /** How often each method was called, so that a test can also assert that something was not requested. */
  readonly requests = {
    register: 0,
    deregister: 0,
    read: 0,
    waitForChange: 0,
    report: 0,
    setMaintenance: 0,
    ping: 0,
    watch: 0,
    readConsistent: 0,
    services: 0,
  };
  /** The registrations by id. */
  readonly #records = new Map<string, RegistrationRecord>();
  /** Instances whose status does not follow their reports. */
  readonly #decided = new Set<string>();
  /** Registrations that only `read` returns. */
  readonly #unlisted = new Set<string>();
  /** The reports to TTL checks, newest last. */
  readonly reports: { readonly checkId: string; readonly status: CheckStatus; readonly output: string }[] =
    [];

  /** Adds or replaces an instance; every field that is left out has a default. */
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

  /** As a check of the registry's own decides it: what the app reports does not change it. */
  setStatus(id: string, status: InstanceStatus): void {
    this.#decided.add(id);
    const instance = this.#instances.get(id);
    if (!instance) throw new DiscoveryError('RK_NOT_FOUND', `no instance "${id}" in ${this.description}`);
    this.put({ ...instance, status });
  }

  remove(id: string): void {
    this.#instances.delete(id);
    this.#records.delete(id);
    this.#changes.emit('change');
  }

  /** Changes a registration, as another writer would. */
  edit(id: string, change: Partial<RegistrationRecord>): void {
    const record = this.#records.get(id);
    if (!record) throw new DiscoveryError('RK_NOT_FOUND', `no registration "${id}" in ${this.description}`);
    this.#records.set(id, { ...record, ...change });
    this.#changes.emit('change');
  }

  /** Removes a registration from every list while the registry still holds it; registering it again lists it again. */
  unlist(id: string): void {
    this.#instances.delete(id);
    this.#unlisted.add(id);
    this.#changes.emit('change');
  }

  record(id: string): RegistrationRecord | undefined {
    return this.#records.get(id);
  }

  override get disconnects(): number {
    return this.#restarts;
  }

  /** Loses every registration at once, like a registry that is restarted without a failing request. */
  restart(): void {
    this.#restarts++;
    for (const id of this.#records.keys()) this.#instances.delete(id);
    this.#records.clear();
    this.#changes.emit('change');
  }

  /** Accepts every watch and never answers it. */
  hang(): void {
    this.#isSilent = true;
  }

  /** From now on every call fails and every running watch ends with an error. */
  fail(): void {
    this.#failing = true;
    this.#changes.emit('change');
  }

  recover(): void {
    this.#failing = false;
    this.#isSilent = false;
  }

  override async register(registration: ServiceRegistration, signal?: AbortSignal): Promise<void> {
    this.requests.register++;
    this.#check();
    signal?.throwIfAborted();
    const { id, service, port, secure, tags, meta, weights, status, maintenance } = registration;
    this.#unlisted.delete(id);
    this.#decided.delete(id);
    this.#records.set(id, {
      service,
      address: registration.address,
      port,
      secure,
      tags: [...tags],
      meta: { ...meta },
      weights: weights ?? { passing: 1, warning: 1 },
      taggedAddresses: registration.taggedAddresses,
      checks: registration.checks.map((check) => ({ id: check.id, name: check.name, notes: check.notes })),
      status: maintenance === undefined ? status : 'maintenance',
      maintenance,
      failing: [],
    });
    this.put({
      id,
      service,
      address: registration.address ?? '127.0.0.1',
      port,
      secure,
      tags: [...tags],
      meta: { ...meta },
      status: maintenance === undefined ? status : 'maintenance',
      weight: weights?.passing ?? 1,
    });
  }

  override async deregister({ id }: Pick<ServiceRegistration, 'id'>): Promise<void> {
    this.requests.deregister++;
    this.#check();
    this.remove(id);
  }

  override async read({ id }: ServiceRegistration): Promise<RegistrationRecord | undefined> {
    this.requests.read++;
    this.#check();
    return this.#records.get(id);
  }

  override async waitForChange(
    { id }: ServiceRegistration,
    record: RegistrationRecord,
    onStatus: (status: InstanceStatus) => void,
    signal: AbortSignal,
  ): Promise<RegistrationChange> {
    this.requests.waitForChange++;
    const look = (): RegistrationChange | undefined => {
      if (this.#unlisted.has(id)) return 'unlisted';
      const listed = this.#instances.get(id);
      if (listed) onStatus(listed.status);
      return this.#records.get(id) === record ? undefined : 'changed';
    };
    for await (const change of this.#watched(look, signal)) if (change) return change;
    throw new DiscoveryError('RK_REGISTRY_ERROR', `${this.description} was closed`);
  }

  override async report(checkId: string, status: CheckStatus, output: string): Promise<void> {
    this.requests.report++;
    this.#check();
    const known = [...this.#records].find(([, { checks }]) => checks?.some(({ id }) => id === checkId));
    if (!known) throw new DiscoveryError('RK_NOT_FOUND', `no check "${checkId}" in ${this.description}`);
    this.reports.push({ checkId, status, output });
    const [id, record] = known;
    if (this.#decided.has(id)) return;
    const failing = status === 'critical' ? [{ id: checkId, output }] : [];
    this.#setStatus(id, record.maintenance === undefined ? status : 'maintenance', { failing });
  }

  override async setMaintenance(id: string, reason: string | undefined): Promise<void> {
    this.requests.setMaintenance++;
    this.#check();
    const status = reason === undefined ? 'passing' : 'maintenance';
    this.edit(id, { maintenance: reason, status });
    this.#setStatus(id, status, {});
  }

  /** In place: a status is no change of the registration that its app would have to repair. */
  #setStatus(id: string, status: InstanceStatus, more: Partial<RegistrationRecord>): void {
    const record = this.#records.get(id);
    if (record) Object.assign(record, { status, ...more });
    const instance = this.#instances.get(id);
    if (!instance || !record || instance.status === status) return;
    const weight = status === 'warning' ? record.weights.warning : record.weights.passing;
    this.put({ ...instance, status, weight });
  }

  override async ping(): Promise<{ leader: boolean }> {
    this.requests.ping++;
    this.#check();
    return { leader: true };
  }

  override watch(service: string, query: SourceQuery, signal: AbortSignal): AsyncIterable<InstanceList> {
    this.requests.watch++;
    return this.#watched(
      () => ({ instances: this.#shown ?? this.#held(service, query), source: this.#source }),
      signal,
    );
  }

  override async readConsistent(service: string, query: SourceQuery): Promise<readonly ServiceInstance[]> {
    this.requests.readConsistent++;
    this.#check();
    return this.#isCertain ? this.#held(service, query) : (this.#shown ?? this.#held(service, query));
  }

  #held(service: string, { datacenter, filter, preparedQuery }: SourceQuery): ServiceInstance[] {
    if (filter !== undefined || preparedQuery)
      throw new DiscoveryError(
        'RK_INVALID_ARGUMENT',
        `query.${preparedQuery ? 'preparedQuery' : 'filter'}: not supported by ${this.description}`,
      );
    return [...this.#instances.values()].filter(
      (i) => i.service === service && (datacenter === undefined || i.datacenter === datacenter),
    );
  }

  /** Lists these instances instead of its own; `certain`: a consistent read still returns its own. */
  overrideList(instances: readonly ServiceInstance[], { certain = false } = {}): void {
    this.#shown = instances;
    this.#isCertain = certain;
    this.#changes.emit('change');
  }

  /** Ends `overrideList`. */
  clearOverride(): void {
    this.#shown = undefined;
    this.#changes.emit('change');
  }

  /** The `source` of its lists from now on. */
  setListSource(source: ListSource): void {
    this.#source = source;
    this.#changes.emit('change');
  }

  override async services(): Promise<Record<string, string[]>> {
    this.requests.services++;
    this.#check();
    const services = new Map<string, string[]>();
    for (const { service, tags } of this.#instances.values())
      services.set(service, [...new Set([...(services.get(service) ?? []), ...tags])]);
    return Object.fromEntries(services);
  }

  override async close(): Promise<void> {
    this.#changes.removeAllListeners();
  }

  async *#watched<T>(read: () => T, signal: AbortSignal): AsyncGenerator<T> {
    // Subscribes before the first read, so that no change in between is missed.
    const changes = on(this.#changes, 'change', { signal });
    try {
      this.#check();
      if (!this.#isSilent) yield read();
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
    throw new DiscoveryError('RK_REGISTRY_UNREACHABLE', `${this.description} was made to fail`);
  }
}
