import { Injectable } from '@nestjs/common';
import {
  invalidConfigError,
  NamesItsModule,
  systemClock,
  type RegistryRequest,
  type RegistrySwitch,
} from '@rookery/discovery/adapter';
import { resolveAgent, type AgentOptions, type ResolvedAgent } from './agent-options.js';
import { AclApi } from './api/acl.api.js';
import { AgentApi } from './api/agent.api.js';
import { ConnectApi } from './api/connect.api.js';
import { CatalogApi } from './api/catalog.api.js';
import { HealthApi } from './api/health.api.js';
import { KvApi } from './api/kv.api.js';
import { QueryApi } from './api/query.api.js';
import { SessionApi } from './api/session.api.js';
import { StatusApi } from './api/status.api.js';
import { TxnApi } from './api/txn.api.js';
import { ConsulError } from './consul-error.js';
import type { ConsulRequestOptions } from './request-options.js';
import type { TokenSource } from './token-source.js';
import { AgentLogin } from './agent-login.js';
import { ConsulRequester } from './consul-requester.js';
import { AgentFailover } from './agent-failover.js';
import { ONE_CONNECTION, type ConnectionBudget } from './connection-budget.js';
import { ConsulTransport, type Transport, type TransportOptions } from './consul-transport.js';
import { RequestListeners } from './request-listeners.js';
import { SharedAddress } from './shared-address.js';

/**
 * Consul's HTTP API, typed. Each call has a deadline, takes a signal, and fails with a `ConsulError` that says whether it is
 * retryable. It is injectable where `ConsulModule` is imported.
 *
 * @example
 * ```ts
 * const { body, index } = await consul.kv.get('config/limit');
 * const changed = await consul.kv.get('config/limit', { index, wait: '30s' }); // blocks until it changes
 * ```
 */
@Injectable()
@NamesItsModule()
export class ConsulClient {
  readonly acl: AclApi;
  readonly agent: AgentApi;
  readonly catalog: CatalogApi;
  readonly connect: ConnectApi;
  readonly health: HealthApi;
  readonly kv: KvApi;
  readonly query: QueryApi;
  readonly session: SessionApi;
  readonly status: StatusApi;
  readonly txn: TxnApi;
  readonly #requests = new RequestListeners();
  readonly #switchListeners = new Set<(change: RegistrySwitch) => void>();
  readonly #transport: Transport;
  readonly #first: SharedAddress;
  readonly #agent: ResolvedAgent;
  readonly #token: TokenSource;
  /** Of a token that a login makes. */
  readonly #disconnect: (() => Promise<void>) | undefined;
  readonly #host: string | undefined;
  readonly #scope: readonly (string | null)[];

  /**
   * @param budget how many connections it may have. Default: as `agent.maxConnections` allows
   * @param world its time and its network, for simulations. Default: those of this machine
   */
  constructor(
    agent: ResolvedAgent,
    budget?: ConnectionBudget,
    world: Pick<TransportOptions, 'clock' | 'openPool'> = {},
  ) {
    const requests = this.#requests;
    const { clock = systemClock } = world;
    const options = { ...world, ...(budget ? { budget } : {}), requests };
    const singly = (each: ResolvedAgent) => (): Transport =>
      new ConsulTransport(each, { ...world, budget: ONE_CONNECTION, requests });
    const first = new SharedAddress(new ConsulTransport(agent, options), singly(agent));
    this.#first = first;
    this.#agent = agent;
    const otherAgents = agent.others.map((address) => ({
      ...agent,
      address,
      // A password in the first address is for the first agent only.
      auth: address.auth ?? (agent.address.auth ? undefined : agent.auth),
    }));
    const others = otherAgents.map((other) => new ConsulTransport(other, options));
    this.#transport =
      others.length > 0
        ? new AgentFailover(first, others, clock, (change) => {
            for (const listener of this.#switchListeners) listener(change);
          })
        : first;
    this.#host = agent.address.host;
    this.#scope = [agent.datacenter ?? null, agent.namespace ?? null, agent.partition ?? null];
    this.#token = agent.token;
    this.#disconnect = agent.token.connect?.(new AgentLogin(agent, [agent, ...otherAgents].map(singly)));
    const requester = new ConsulRequester(this.#transport, agent);
    this.acl = new AclApi(requester);
    this.agent = new AgentApi(requester);
    this.catalog = new CatalogApi(requester);
    this.connect = new ConnectApi(requester);
    this.health = new HealthApi(requester);
    this.kv = new KvApi(requester);
    this.query = new QueryApi(requester);
    this.session = new SessionApi(requester);
    this.status = new StatusApi(requester);
    this.txn = new TxnApi(requester);
  }

  /**
   * Creates a client outside of Nest, for a script or a test; it has to be closed.
   *
   * @throws DiscoveryError `RK_CONFIG_INVALID` with every issue of options and environment
   */
  static create(options: AgentOptions = {}, environment: NodeJS.ProcessEnv = process.env): ConsulClient {
    const { agent, issues } = resolveAgent(options, environment);
    if (!agent) throw invalidConfigError('ConsulClient', issues);
    return new ConsulClient(agent);
  }

  /** The address of the agent: `http://127.0.0.1:8500` or `unix:///run/consul.sock`; several are separated by commas. */
  get url(): string {
    return this.#transport.url;
  }

  /** The default datacenter, namespace and partition of every request; null: the agent's own. */
  get scope(): readonly (string | null)[] {
    return this.#scope;
  }

  /** Undefined when the agent is reached over a Unix domain socket. */
  get host(): string | undefined {
    return this.#host;
  }

  /**
   * How many connections to the agent have ended. An index from before may be ahead of the agent's, which may have restarted
   * empty, and a blocking query with it would sleep for its whole `wait`.
   */
  get disconnects(): number {
    return this.#transport.disconnects;
  }

  /** The address of the first agent has led to more than one agent: a load balancer is between. */
  get reachesSeveralAgents(): boolean {
    return this.#first.hasSeveralAgents;
  }

  /**
   * Calls back with the API of the agent that has a service, where one address leads to several agents; all its requests reach
   * that one.
   *
   * @returns undefined when no agent was found that has the service
   */
  async onAgentWith<T>(
    id: string,
    work: (agent: AgentApi) => Promise<T>,
    options: ConsulRequestOptions = {},
  ): Promise<T | undefined> {
    return this.#first.onEachConnection(async (connection) => {
      const api = new AgentApi(new ConsulRequester(connection, this.#agent));
      if (await api.service(id, options)) return work(api);
      throw new ConsulError('RK_NOT_FOUND', `no agent of ${this.url} has "${id}"`);
    });
  }

  /** Another number whenever the token has changed, by its file or its provider. Undefined: it never does. */
  get tokenVersion(): number | undefined {
    return this.#token.version;
  }

  /** Reads the token again if it is due. */
  async refreshToken(): Promise<void> {
    await this.#token.current();
  }

  /** How long a blocking query may wait, when it would wait for the given time; in milliseconds. */
  waitWithin(milliseconds: number): number {
    return Math.min(milliseconds, this.#agent.maxWaitMs);
  }

  /** The number of lists of instances that can be watched at the same time. */
  get watchLimit(): number {
    return this.#transport.budget.list;
  }

  /** The number of blocking queries besides those of lists that can wait at the same time; further ones are queued. */
  get blockingQueryLimit(): number {
    return this.#transport.budget.watch;
  }

  /**
   * Calls back after each request, for metrics. A request that its caller no longer wants is not reported.
   *
   * @returns ends it
   */
  onRequest(listener: (request: RegistryRequest) => void): () => void {
    return this.#requests.add(listener);
  }

  /**
   * Calls back when lookups go to another agent of `agent.url`, and when they go to the first one again.
   *
   * @returns ends it
   */
  onSwitch(listener: (change: RegistrySwitch) => void): () => void {
    this.#switchListeners.add(listener);
    return () => void this.#switchListeners.delete(listener);
  }

  /** Aborts every request, closes every connection, and logs out when a login made the token. */
  async close(): Promise<void> {
    await this.#transport.close();
    await this.#disconnect?.();
  }
}
