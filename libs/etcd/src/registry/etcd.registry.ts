import { DiscoveryError, type InstanceStatus, type ServiceInstance } from '@rookery/discovery';
import {
  closeNames,
  type CheckStatus,
  type Clock,
  type InstanceList,
  invalidConfigError,
  type Random,
  type RegistrationChange,
  type RegistrationRecord,
  type RegistryRequest,
  type RegistrySwitch,
  type ServiceRegistration,
  ServiceRegistry,
  type SourceQuery,
  systemClock,
  validateOptions,
  withScopedSignal,
} from '@rookery/discovery/adapter';
import { z } from 'zod';
import type { EtcdRead } from '../client/api/kv.api.js';
import { EtcdClient } from '../client/etcd-client.js';
import {
  etcdClientOptionsShape,
  resolveEtcd,
  withoutSecret,
  type EtcdClientOptions,
} from '../client/etcd-options.js';
import { CompactedError, EtcdError } from '../client/etcd-error.js';
import type { EtcdKeyValue } from '../client/key-value.js';
import { InstanceKeys } from './instance-keys.js';
import { InstanceMap } from './instance-map.js';
import { decodeValue, statusOf } from './instance-value.js';
import { OwnRegistration } from './own-registration.js';
import {
  etcdRegistryOptionsShape,
  resolveRegistry,
  type EtcdRegistryOptions,
  type ResolvedEtcdRegistry,
} from './registry-options.js';

export interface EtcdRegistryTools {
  readonly clock?: Clock;
  readonly random?: Random;
}

const clientSchema = z.strictObject({ ...etcdClientOptionsShape, ...etcdRegistryOptionsShape });

const QUERY_FIELDS = [
  'filter',
  'datacenter',
  'near',
  'preparedQuery',
] as const satisfies (keyof SourceQuery)[];

/** A list that began stale would stay so for as long as its watch lasts, although there is a leader again. */
const REREAD_STALE_AFTER_MS = 2_000;

/** Where a record was read. */
interface Observed {
  readonly revision: bigint;
}

/** Etcd as a registry: each registration is a key with a lease, and a list of instances is what has the prefix of its service. */
export class EtcdRegistry extends ServiceRegistry {
  override readonly knowsNodeAddress = false;
  override readonly credentials = 0;
  readonly #client: EtcdClient;
  readonly #keys: InstanceKeys;
  readonly #options: ResolvedEtcdRegistry;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #own = new Map<string, OwnRegistration>();
  /** The ids of registrations by those of their checks. */
  readonly #checks = new Map<string, string>();
  readonly #observed = new WeakMap<RegistrationRecord, Observed>();
  /** The revisions of keys when they were read last, by id: what another process has put since is not replaced. */
  readonly #seen = new Map<string, bigint>();

  constructor(
    client: EtcdClient,
    options: EtcdRegistryOptions = {},
    { clock = systemClock, random = Math.random }: EtcdRegistryTools = {},
  ) {
    super();
    this.#client = client;
    this.#clock = clock;
    this.#random = random;
    this.#options = resolveRegistry(options);
    this.#keys = new InstanceKeys(this.#options.prefix);
  }

  /**
   * With a client of its own, as a source or a registry besides that of the app.
   *
   * @throws DiscoveryError `RK_CONFIG_INVALID` with every issue of options and environment
   */
  static create(
    options: EtcdClientOptions & EtcdRegistryOptions = {},
    environment: NodeJS.ProcessEnv = process.env,
  ): EtcdRegistry {
    const issues = validateOptions(clientSchema, options).map(withoutSecret);
    const resolution = issues.length > 0 ? undefined : resolveEtcd(options, environment);
    if (!resolution?.etcd)
      throw invalidConfigError('EtcdRegistry', [...issues, ...(resolution?.issues ?? [])]);
    return new EtcdRegistry(new EtcdClient(resolution.etcd), options);
  }

  override get reportTtlMs(): number {
    return this.#options.ttl * 1_000;
  }

  override get description(): string {
    return `etcd at ${this.#client.description}`;
  }

  override get cacheKey(): string {
    return `${this.description} ${this.#keys.all.prefix}`;
  }

  override get host(): string {
    return this.#client.host;
  }

  override get disconnects(): number {
    return this.#client.disconnects;
  }

  override onRequest(listener: (request: RegistryRequest) => void): () => void {
    return this.#client.onRequest(listener);
  }

  override onSwitch(listener: (change: RegistrySwitch) => void): () => void {
    return this.#client.onSwitch(listener);
  }

  override async register(registration: ServiceRegistration, signal: AbortSignal): Promise<void> {
    const { id, service, checks } = registration;
    const { layout, ttl } = this.#options;
    let own = this.#own.get(id);
    if (!own) {
      const tools = { client: this.#client, layout, ttl, clock: this.#clock, random: this.#random };
      own = new OwnRegistration(this.#keys.key(service, id), registration, tools);
      this.#own.set(id, own);
    }
    for (const check of checks) this.#checks.set(check.id, id);
    await own.register(registration, this.#seen.get(id), { signal });
  }

  override async deregister(
    { id, service }: Pick<ServiceRegistration, 'id' | 'service'>,
    signal: AbortSignal,
  ): Promise<void> {
    const own = this.#own.get(id);
    if (own) await own.remove({ signal });
    // Of an earlier process, which had the same id.
    else await this.#client.kv.delete(this.#keys.key(service, id), { signal });
    this.#own.delete(id);
    this.#seen.delete(id);
    for (const [check, of] of this.#checks) if (of === id) this.#checks.delete(check);
  }

  override async read(
    { id, service, address, port, checks }: ServiceRegistration,
    signal: AbortSignal,
  ): Promise<RegistrationRecord | undefined> {
    const { values, revision } = await this.#client.kv.range(this.#keys.key(service, id), { signal });
    const [held] = values;
    this.#seen.set(id, held?.modRevision ?? 0n);
    const decoded = held && decodeValue(held.value);
    // What cannot be read is put again.
    if (!decoded || !('value' in decoded)) return undefined;
    const { value } = decoded;
    const own = this.#own.get(id);
    const isHere = value.address === address && value.port === port;
    // With the lease of an earlier process it will be gone when that ends; with none it would stay for ever.
    if (own && isHere && held.lease !== own.lease?.id) return undefined;
    const { secure, tags, meta, weights, taggedAddresses, maintenance, status, output = '' } = value;
    const record: RegistrationRecord = {
      service,
      ...{
        address: value.address,
        port: value.port,
        secure,
        tags,
        meta,
        weights,
        taggedAddresses,
        maintenance,
      },
      checks: undefined,
      status: statusOf(value),
      failing: status === 'critical' ? checks.slice(0, 1).map((check) => ({ id: check.id, output })) : [],
    };
    this.#observed.set(record, { revision });
    return record;
  }

  override async waitForChange(
    { id, service }: ServiceRegistration,
    record: RegistrationRecord,
    onStatus: (status: InstanceStatus) => void,
    signal: AbortSignal,
  ): Promise<RegistrationChange> {
    const own = this.#own.get(id);
    const observed = this.#observed.get(record);
    const lease = own?.lease;
    if (!own || !lease || !observed) return 'changed';
    onStatus(record.status);
    return withScopedSignal(signal, (waiting) =>
      Promise.race([
        lease.untilLost(waiting).then(() => 'changed' as const),
        this.#untilForeign(this.#keys.key(service, id), own, observed.revision, onStatus, waiting),
      ]),
    );
  }

  /** Until the key is something else than what this process has put. */
  async #untilForeign(
    key: string,
    own: OwnRegistration,
    revision: bigint,
    onStatus: (status: InstanceStatus) => void,
    signal: AbortSignal,
  ): Promise<RegistrationChange> {
    try {
      for await (const { events } of this.#client.watch(key, revision + 1n, signal))
        for (const event of events) {
          const isOwn =
            event.type === 'put' &&
            event.lease === own.lease?.id &&
            event.value.toString('utf8') === own.text;
          if (!isOwn) return 'changed';
          onStatus(own.status);
        }
    } catch (error) {
      if (!(error instanceof CompactedError)) throw error;
    }
    return 'changed';
  }

  override async report(
    checkId: string,
    status: CheckStatus,
    output: string,
    signal: AbortSignal,
  ): Promise<void> {
    const own = this.#own.get(this.#checks.get(checkId) ?? '');
    if (!own)
      throw new DiscoveryError(
        'RK_NOT_FOUND',
        `no check "${checkId}" is registered with ${this.description}`,
      );
    await own.report(status, output, { signal });
  }

  override async setMaintenance(id: string, reason: string | undefined, signal: AbortSignal): Promise<void> {
    const own = this.#own.get(id);
    if (!own) throw new DiscoveryError('RK_NOT_FOUND', `"${id}" is not registered with ${this.description}`);
    await own.setMaintenance(reason, { signal });
  }

  override async *watch(
    service: string,
    query: SourceQuery,
    signal: AbortSignal,
  ): AsyncGenerator<InstanceList> {
    this.#assertQuery(query);
    const range = this.#keys.of(service);
    for (;;) {
      const { values, revision, isStale } = await this.#readList(service, signal);
      const map = new InstanceMap(this.#keys, service, values);
      const list = (at: bigint): InstanceList => ({
        instances: map.instances,
        invalid: map.invalid,
        source: isStale ? 'stale' : 'live',
        index: String(at),
        mode: 'watched',
      });
      yield list(revision);
      const rereading = new AbortController();
      const stopWaiting = isStale
        ? this.#clock.after(REREAD_STALE_AFTER_MS, () => rereading.abort())
        : undefined;
      const watching = isStale ? AbortSignal.any([signal, rereading.signal]) : signal;
      try {
        for await (const batch of this.#client.watch(range, revision + 1n, watching))
          if (map.apply(batch.events)) yield list(batch.revision);
      } catch (error) {
        const isRereading = rereading.signal.aborted && !signal.aborted;
        // Or the changes since then are gone: the whole list is read again.
        if (!(error instanceof CompactedError) && !isRereading) throw error;
      } finally {
        stopWaiting?.();
      }
    }
  }

  /** Without a leader, from the member itself. */
  async #readList(service: string, signal: AbortSignal): Promise<EtcdRead & { readonly isStale: boolean }> {
    const range = this.#keys.of(service);
    try {
      return { ...(await this.#client.kv.range(range, { signal })), isStale: false };
    } catch (error) {
      const mayHaveNoLeader =
        error instanceof EtcdError && /^RK_REGISTRY_(NO_LEADER|TIMEOUT)$/.test(error.code) && !signal.aborted;
      if (!mayHaveNoLeader) throw error;
      return { ...(await this.#client.kv.range(range, { signal, serializable: true })), isStale: true };
    }
  }

  override async readConsistent(
    service: string,
    query: SourceQuery,
    signal: AbortSignal,
  ): Promise<readonly ServiceInstance[]> {
    this.#assertQuery(query);
    const { values } = await this.#client.kv.range(this.#keys.of(service), { signal });
    return new InstanceMap(this.#keys, service, values).instances;
  }

  override async diagnose(
    service: string,
    _query: SourceQuery,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const list = await this.#client.kv.range(this.#keys.of(service), { signal });
    if (list.values.length > 0) return describeFailing(list.values);
    const { values } = await this.#client.kv.range(this.#keys.all, { signal, keysOnly: true });
    const names = [...new Set(values.flatMap(({ key }) => this.#keys.parse(key)?.service ?? []))];
    const question = `Etcd has no key below ${this.#keys.of(service).prefix}: is it running and registered?`;
    const close = closeNames(service, names).map((name) => `"${name}"`);
    return close.length > 0 ? `${question} Did you mean ${close.join(' or ')}?` : question;
  }

  override async services(signal: AbortSignal): Promise<Record<string, string[]>> {
    const { values } = await this.#client.kv.range(this.#keys.all, { signal });
    const tags = new Map<string, Set<string>>();
    for (const { key, value } of values) {
      const place = this.#keys.parse(key);
      const decoded = place && decodeValue(value);
      if (!decoded || !('value' in decoded)) continue;
      const known = tags.get(place.service) ?? new Set<string>();
      for (const tag of decoded.value.tags) known.add(tag);
      tags.set(place.service, known);
    }
    return Object.fromEntries([...tags].map(([service, found]) => [service, [...found]]));
  }

  override async ping(signal: AbortSignal): Promise<{ leader: boolean }> {
    return { leader: (await this.#client.status({ signal })).leader !== undefined };
  }

  override async close(): Promise<void> {
    for (const own of this.#own.values()) own.stop();
    this.#client.close();
  }

  /** @throws DiscoveryError `RK_INVALID_ARGUMENT` for what only Consul has */
  #assertQuery(query: SourceQuery): void {
    const field = QUERY_FIELDS.find((each) => query[each] !== undefined);
    if (field === undefined) return;
    throw new DiscoveryError(
      'RK_INVALID_ARGUMENT',
      `query.${field}: ${this.description} has no such selection`,
      {
        hint: 'Use tags, meta or version',
      },
    );
  }
}

/** The first two that say why. */
function describeFailing(values: readonly EtcdKeyValue[]): string | undefined {
  const reasons = values.flatMap(({ key, value }) => {
    const decoded = decodeValue(value);
    if (!('value' in decoded)) return [`${key}: ${decoded.reason}`];
    const { maintenance, status, output } = decoded.value;
    if (maintenance !== undefined) return [`${key} is in maintenance: ${maintenance}`];
    return status === 'critical' ? [`${key} is critical: ${output ?? 'it does not say why'}`] : [];
  });
  return reasons.length > 0 ? reasons.slice(0, 2).join('; ') : undefined;
}
