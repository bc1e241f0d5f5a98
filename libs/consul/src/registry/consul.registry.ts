import { Logger } from '@nestjs/common';
import { DiscoveryError, type InstanceStatus, type ServiceInstance } from '@rookery/discovery';
import {
  type CheckStatus,
  type Clock,
  type ConnectionUsage,
  type InstanceList,
  type Random,
  type RegistrationChange,
  type RegistrationRecord,
  type RegistryRequest,
  type RegistrySwitch,
  type ServiceRegistration,
  ServiceRegistry,
  type SourceQuery,
  systemClock,
  withScopedSignal,
  type WorkerReporterSource,
} from '@rookery/discovery/adapter';
import type { AgentApi } from '../client/api/agent.api.js';
import type { HealthCheck } from '../client/api/types.js';
import type { AgentOptions } from '../client/agent-options.js';
import { ConsulClient } from '../client/consul-client.js';
import { diagnoseService } from './diagnose-service.js';
import { assertMayReadNames } from './empty-list.js';
import { InstanceLists } from './instance-lists.js';
import { RegistrationWatch, type ObservedRegistration } from './registration-watch.js';
import { ServiceNames } from './service-names.js';
import { toServiceDefinition } from './service-definition.js';
import { toRegistrationRecord } from './to-registration-record.js';
import { untilTokenChanged } from './token-change.js';
import { untilUnlisted } from './until-unlisted.js';

/**
 * The wait of the two blocking reads on the app's own registration: each returns every 77 s on average, so that an idle app
 * costs the agent fewer than two requests a minute; half of that where heartbeats detect a loss, too.
 */
const OWN_WAIT_MS = 75_000;
const OWN_WAIT_WITH_HEARTBEAT_MS = 150_000;
const REPORT_TIMEOUT_MS = 3_000;

export interface ConsulRegistryOptions {
  readonly clock?: Clock;
  /** Default: `Math.random`. */
  readonly random?: Random;
  readonly forWorker?: () => WorkerReporterSource;
  /** What speaks TLS is registered as Connect-native. Default: false. */
  readonly isNative?: boolean;
}

/** Consul as a registry: registrations with the local agent, and lookups in the catalog of all agents. */
export class ConsulRegistry extends ServiceRegistry {
  override readonly knowsNodeAddress = true;
  readonly #client: ConsulClient;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #lists: InstanceLists;
  readonly #names: ServiceNames;
  readonly #forWorker: (() => WorkerReporterSource) | undefined;
  readonly #isNative: boolean;
  readonly #logger = new Logger(ConsulRegistry.name);
  /** The node of the agent that has a registration, by id. */
  readonly #nodes = new Map<string, string>();
  #hasWarned = false;
  /** The Consul objects that a record was converted from. */
  readonly #observed = new WeakMap<RegistrationRecord, ObservedRegistration>();

  constructor(client: ConsulClient, options: ConsulRegistryOptions = {}) {
    super();
    const { clock = systemClock, random = Math.random, forWorker, isNative = false } = options;
    this.#client = client;
    this.#clock = clock;
    this.#random = random;
    this.#forWorker = forWorker;
    this.#isNative = isNative;
    this.#lists = new InstanceLists(client, { clock, random });
    this.#names = new ServiceNames(client, clock);
  }

  /**
   * With a client of its own, as a source or a registry besides that of the app.
   *
   * @throws DiscoveryError `RK_CONFIG_INVALID` with every issue of options and environment
   */
  static create(options: AgentOptions = {}, environment: NodeJS.ProcessEnv = process.env): ConsulRegistry {
    return new ConsulRegistry(ConsulClient.create(options, environment));
  }

  override get description(): string {
    return `Consul at ${this.#client.url}`;
  }

  /** An agent has different lists for each datacenter, namespace and partition. */
  override get cacheKey(): string {
    return `${this.description} ${JSON.stringify(this.#client.scope)}`;
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

  override get host(): string | undefined {
    return this.#client.host;
  }

  override async register(registration: ServiceRegistration, signal: AbortSignal): Promise<void> {
    await this.#assertAliasedNodes(registration, signal);
    const definition = toServiceDefinition(registration, this.#isNative);
    // Replacing the checks would end the maintenance for a moment.
    const options = { signal, replaceExistingChecks: registration.maintenance === undefined };
    await this.#onOwnAgent(registration.id, (agent) => agent.register(definition, options), signal);
    if (registration.maintenance !== undefined)
      await this.setMaintenance(registration.id, registration.maintenance, signal);
  }

  /** On the agent that has the registration already, if several are behind one address; else on any. */
  async #onOwnAgent(
    id: string,
    work: (agent: AgentApi) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const onIt = async (agent: AgentApi): Promise<true> => work(agent).then(() => true);
    const isDone =
      this.#client.reachesSeveralAgents && (await this.#client.onAgentWith(id, onIt, { signal }));
    if (!isDone) await work(this.#client.agent);
  }

  /** An alias of a node that does not exist crashes an agent of Consul 1.8. */
  async #assertAliasedNodes({ checks }: ServiceRegistration, signal: AbortSignal): Promise<void> {
    for (const check of checks) {
      if (check.type !== 'alias' || check.node === undefined) continue;
      const { body } = await this.#client.health.node(check.node, { signal });
      if (body.length > 0) continue;
      throw new DiscoveryError(
        'RK_REGISTRY_BAD_REQUEST',
        `the check "${check.id}" is an alias of the node "${check.node}", which does not exist`,
        { hint: 'See service.check.aliasNode; a token without node:read does not see it either' },
      );
    }
  }

  override get credentials(): number {
    return this.#client.tokenVersion ?? 0;
  }

  override async deregister(
    registration: Pick<ServiceRegistration, 'id' | 'service'>,
    signal: AbortSignal,
  ): Promise<void> {
    const { id, service } = registration;
    const listed = { id, service, node: this.#nodes.get(id) };
    await this.#onOwnAgent(id, (agent) => agent.deregister(id, { signal }), signal);
    if (await untilUnlisted(this.#client, listed, this.#clock, signal)) return;
    const held = await this.#client.agent.service(id, { signal });
    if (held) {
      // Another process with the same id has registered it since.
      if (!this.#client.reachesSeveralAgents) return;
      await this.#client.onAgentWith(id, (agent) => agent.deregister(id, { signal }), { signal });
      if (await untilUnlisted(this.#client, listed, this.#clock, signal)) return;
    }
    // The agent then has the present token for it. Critical, so that no client uses it meanwhile.
    const check = {
      CheckID: `${id}:leaving`,
      TTL: '1m',
      Status: 'critical',
      DeregisterCriticalServiceAfter: '1m',
    } as const;
    await this.#client.agent.register({ ID: id, Name: service, Checks: [check] }, { signal });
    await this.#client.agent.deregister(id, { signal });
    if (await untilUnlisted(this.#client, listed, this.#clock, signal)) return;
    throw new DiscoveryError('RK_REGISTRY_ERROR', `the catalog still lists "${id}"`, {
      retryable: false,
      hint: 'An agent removes an instance with the token that it was registered with: has that been deleted?',
    });
  }

  override async read(
    registration: ServiceRegistration,
    signal: AbortSignal,
  ): Promise<RegistrationRecord | undefined> {
    const { id } = registration;
    const { tokenVersion } = this.#client;
    const [held, list] = await Promise.all([
      this.#client.agent.service(id, { signal }),
      this.#client.agent.checks.list({ signal }),
    ]);
    let checks = Object.values(list.body);
    assertOwnChecks(registration, checks);
    if (!held) return undefined;
    const isOwn = ({ ServiceID }: HealthCheck): boolean => ServiceID === id;
    if (!checks.some(isOwn) && registration.checks.length > 0) {
      // They were removed, or it was another agent that answered.
      const listAgain = (agent: AgentApi): ReturnType<AgentApi['checks']['list']> =>
        agent.checks.list({ signal });
      const again = await this.#client.onAgentWith(id, listAgain, { signal });
      checks = Object.values(again?.body ?? {});
    }
    if (this.#client.reachesSeveralAgents) this.#warnOfSeveralAgents();
    const own = checks.filter(isOwn);
    if (own[0]) this.#nodes.set(id, own[0].Node);
    const record = toRegistrationRecord(held.body, own);
    const service = {
      ...held.body,
      ...(held.contentHash === undefined ? {} : { ContentHash: held.contentHash }),
    };
    this.#observed.set(record, { service, checks: own, node: own[0]?.Node, tokenVersion });
    return record;
  }

  #warnOfSeveralAgents(): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    this.#logger.warn(
      `${this.#client.url} leads to several Consul agents, which do not know each other's registrations: is a load balancer ` +
        'in between? The app stays registered with one of them. Set agent.url to the agent of its own host, or bind each ' +
        'client of the load balancer to one agent',
    );
  }

  override async waitForChange(
    registration: ServiceRegistration,
    record: RegistrationRecord,
    onStatus: (status: InstanceStatus) => void,
    signal: AbortSignal,
  ): Promise<RegistrationChange> {
    const observed = this.#observed.get(record);
    if (!observed) return 'changed';
    const hasHeartbeat = registration.checks.some(({ type }) => type === 'ttl');
    const waitMs = this.#client.waitWithin(hasHeartbeat ? OWN_WAIT_WITH_HEARTBEAT_MS : OWN_WAIT_MS);
    const options = { clock: this.#clock, random: this.#random, waitMs, onStatus };
    const watch = new RegistrationWatch(this.#client, options);
    if (observed.tokenVersion === undefined) return watch.waitForChange(observed, signal);
    return withScopedSignal(signal, (waiting) =>
      Promise.race([
        watch.waitForChange(observed, waiting),
        untilTokenChanged(this.#client, observed.tokenVersion, this.#clock, waiting),
      ]),
    );
  }

  override async report(
    checkId: string,
    status: CheckStatus,
    output: string,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#client.agent.checks.update(checkId, status, output, { signal, timeout: REPORT_TIMEOUT_MS });
  }

  override workerReporter(): WorkerReporterSource | undefined {
    return this.#forWorker?.();
  }

  override async setMaintenance(id: string, reason: string | undefined, signal: AbortSignal): Promise<void> {
    await this.#client.agent.maintenance(id, reason !== undefined, reason, { signal });
  }

  override async ping(signal: AbortSignal): Promise<{ leader: boolean }> {
    return { leader: (await this.#client.status.leader({ signal })) !== undefined };
  }

  override watch(service: string, query: SourceQuery, signal: AbortSignal): AsyncIterable<InstanceList> {
    const { preparedQuery } = query;
    return preparedQuery
      ? this.#lists.poll(service, query, signal)
      : this.#lists.watch(service, query, signal);
  }

  override async readConsistent(
    service: string,
    query: SourceQuery,
    signal: AbortSignal,
  ): Promise<readonly ServiceInstance[]> {
    return this.#lists.readConsistent(service, query, signal);
  }

  override async diagnose(
    service: string,
    query: SourceQuery,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    if (query.preparedQuery) return undefined;
    return diagnoseService(this.#client, service, query, signal, (dc) => this.#names.read(dc));
  }

  override get connections(): ConnectionUsage {
    return this.#lists.connections;
  }

  override async services(signal: AbortSignal): Promise<Record<string, string[]>> {
    const { body } = await this.#client.catalog.services({ signal });
    if (Object.keys(body).length === 0) await assertMayReadNames(this.#client, signal);
    return body;
  }

  override async close(): Promise<void> {
    await this.#client.close();
  }
}

/** Consul would silently move a check from another service to this one. */
function assertOwnChecks({ id, checks }: ServiceRegistration, found: readonly HealthCheck[]): void {
  for (const check of checks) {
    const owner = found.find(({ CheckID }) => CheckID === check.id)?.ServiceID;
    if (owner === undefined || owner === id) continue;
    throw new DiscoveryError(
      'RK_ID_CONFLICT',
      `the check "${check.id}" belongs to ${owner ? `the service "${owner}"` : 'the node'}`,
      { hint: `Give the check of "${id}" another id, in service.check.id` },
    );
  }
}
