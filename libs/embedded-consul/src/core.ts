import { AclStore, type AclStoreOptions, type Authorizer } from './acl/acl-store.js';
import { Agent, type AgentIdentity } from './agent/agent.js';
import { NO_PROXY } from './agent/proxy.js';
import { Catalog } from './catalog/catalog.js';
import { ConnectRoots } from './connect/connect-roots.js';
import { ApiError } from './http/api-error.js';
import type { ApiReply, ApiRequest } from './http/api-request.js';
import { KV, KvStore } from './kv/kv-store.js';
import { FIRST_AUTOPILOT, type Autopilot } from './operator/autopilot.js';
import { ReadCache } from './state/read-cache.js';
import { SessionStore, type SessionRecord } from './session/session-store.js';
import { blockingRead, readOptions, type BlockingContext, type Reading } from './state/blocking-query.js';
import { IndexBook } from './state/index-book.js';
import type { ControllableClock } from './time/controllable-clock.js';

export interface CoreOptions {
  readonly identity: AgentIdentity;
  readonly port: number;
  readonly clock: ControllableClock;
  readonly random: () => number;
  readonly acl: Pick<AclStoreOptions, 'enabled' | 'managementToken' | 'defaultPolicy'>;
  readonly compatibility: '1.8' | 'latest';
  readonly enableScriptChecks: boolean;
}

export interface UserEvent {
  readonly ID: string;
  readonly Name: string;
  readonly Payload: string | null;
  readonly NodeFilter: string;
  readonly ServiceFilter: string;
  readonly TagFilter: string;
  readonly Version: number;
  readonly LTime: number;
}

export interface PreparedQuery {
  readonly id: string;
  readonly index: number;
  readonly createIndex: number;
  readonly body: Record<string, unknown>;
}

/** Injected faults of the state; see `Faults`. */
export interface Distortion {
  /** Lists of these services are empty; `*`: all. */
  readonly emptyLists: Set<string>;
  leader: boolean;
  /** Added to every index in a response. */
  indexShift: number;
  /** Replaces every index in a response. */
  frozenIndex: number | undefined;
}

/** What Consul has written before its API can be used. */
const FIRST_INDEX = 8;

/** The state and services that all endpoints share. */
export class Core {
  readonly indexes = new IndexBook(FIRST_INDEX);
  readonly catalog = new Catalog(this.indexes);
  readonly ending = new Set<() => void>();
  readonly agent: Agent;
  readonly kv: KvStore;
  readonly sessions: SessionStore;
  readonly acl: AclStore;
  readonly queries = new Map<string, PreparedQuery>();
  readonly events: UserEvent[] = [];
  autopilot: Autopilot = FIRST_AUTOPILOT;
  connect: ConnectRoots;
  /** Where it listens; known once it does. */
  httpPort = 0;
  /** Called when it is told to leave. */
  onLeave: () => void = () => undefined;
  readonly #cache = new ReadCache();
  readonly distortion: Distortion = {
    emptyLists: new Set(),
    leader: true,
    indexShift: 0,
    frozenIndex: undefined,
  };

  constructor(readonly options: CoreOptions) {
    const { clock, random, identity } = options;
    this.agent = new Agent(identity, this.catalog, this.indexes, clock, random);
    this.kv = new KvStore(this.indexes, () => clock.now());
    this.sessions = new SessionStore(this.indexes, clock, (session) => this.#release(session));
    const { datacenter } = identity;
    this.acl = new AclStore({ ...options.acl, datacenter, nowMs: () => clock.now() }, this.indexes);
    this.catalog.onLost = (lost) => this.sessions.endThoseOf(lost);
    this.connect = this.#newRoots();
    this.#begin();
  }

  /** Like a restart: with its data the agent's services come back, without it nothing does. */
  restart(keepState: boolean): void {
    this.#cache.clear();
    if (!keepState) {
      this.agent.forget();
      this.sessions.clear();
      this.kv.clear();
      this.queries.clear();
      this.catalog.clear();
      this.indexes.reset(FIRST_INDEX);
      this.connect = this.#newRoots();
      this.#begin();
    }
    this.indexes.wakeAll();
  }

  stop(): void {
    for (const end of [...this.ending]) end();
    this.agent.stop();
    this.options.clock.stop();
  }

  get blocking(): BlockingContext {
    const { clock, random } = this.options;
    return { indexes: this.indexes, clock, random, ending: this.ending };
  }

  authorizer(request: ApiRequest): Authorizer {
    return this.acl.authorize(tokenOf(request));
  }

  /** Like `authorizer`, where the servers check the token: a refusal then carries their headers. */
  serversAuthorizer(request: ApiRequest): Authorizer {
    try {
      return this.authorizer(request);
    } catch (error) {
      throw error instanceof ApiError ? new ApiError(error.status, error.message, true) : error;
    }
  }

  /** A read of the servers: blocks if requested, and returns the index and the state of the leader. */
  async read<T>(
    request: ApiRequest,
    topics: () => readonly string[],
    read: () => Reading<T>,
    /** What the headers report beside the index; cache headers exist only for cacheable reads. */
    tells: 'index' | 'consistency' | { cache: string } = 'index',
  ): Promise<{ body: T; headers: Record<string, string> }> {
    const options = readOptions(request);
    const tellsConsistency = tells !== 'index';
    this.datacenter(request, tellsConsistency);
    if (!this.distortion.leader && options.consistency !== 'stale' && !options.cached) {
      throw new ApiError(500, 'No cluster leader', true);
    }
    let looks = 0;
    const { index, body } = await blockingRead(this.blocking, request, options, topics, () => {
      looks++;
      const reading = read();
      return {
        ...reading,
        index: this.distortion.frozenIndex ?? Math.max(1, reading.index + this.distortion.indexShift),
      };
    });
    return {
      body,
      headers: {
        ...(tellsConsistency ? { 'X-Consul-Effective-Consistency': options.consistency } : {}),
        'X-Consul-Index': String(index),
        'X-Consul-Knownleader': String(this.distortion.leader),
        'X-Consul-Lastcontact': '0',
        ...(typeof tells === 'object' ? this.cacheHeaders(request, tells.cache, looks === 1) : {}),
      },
    };
  }

  cacheHeaders(request: ApiRequest, path: string, answeredAtOnce = true): Record<string, string> {
    return this.#cache.headers(request, path, tokenOf(request), answeredAtOnce);
  }

  /** Only the agent's own datacenter can be reached. */
  datacenter(request: ApiRequest, fromServers = false): void {
    const asked = request.query.get('dc');
    if (asked && asked !== this.options.identity.datacenter) {
      throw new ApiError(500, 'No path to datacenter', fromServers);
    }
  }

  /** Writes need a leader. */
  requireLeader(): void {
    if (!this.distortion.leader) throw new ApiError(500, 'No cluster leader');
  }

  /** Writes at the next index, and notifies the changed topics afterwards. */
  write<T>(topics: readonly string[], change: (index: number) => T): T {
    this.requireLeader();
    const index = this.indexes.next();
    const result = change(index);
    this.indexes.changed(index, topics);
    return result;
  }

  #newRoots(): ConnectRoots {
    return new ConnectRoots(() => this.options.clock.now(), FIRST_INDEX);
  }

  #begin(): void {
    this.agent.join();
    // A server registers itself as the service "consul".
    const { identity, port } = this.options;
    this.catalog.register({
      node: undefined,
      nodeName: identity.node,
      service: {
        ID: 'consul',
        Service: 'consul',
        Tags: [],
        Address: '',
        Meta: {
          non_voter: 'false',
          raft_version: '3',
          serf_protocol_current: '2',
          serf_protocol_max: '5',
          serf_protocol_min: '1',
          version: '1.8.7',
        },
        Port: port,
        Weights: { Passing: 1, Warning: 1 },
        EnableTagOverride: false,
        Proxy: NO_PROXY,
        Connect: {},
      },
    });
  }

  /** Releases or deletes the locks of a session, which cannot be acquired during the lock delay. */
  #release(session: SessionRecord): void {
    const held = this.kv.heldBy(session.id);
    if (held.length === 0) return;
    const index = this.indexes.last;
    for (const { key, value, flags } of held) {
      if (session.behavior === 'delete') this.kv.delete(index, key);
      else this.kv.put(index, key, value, flags, { released: true });
      if (session.lockDelayMs > 0) this.kv.closeFor(key, session.lockDelayMs);
    }
    this.indexes.changed(index, [KV]);
  }
}

export function tokenOf({ headers, query }: ApiRequest): string {
  const header = headers['x-consul-token'];
  const bearer = /^Bearer (.+)$/i.exec(String(headers.authorization ?? ''))?.[1];
  return (Array.isArray(header) ? header[0] : header) ?? bearer ?? query.get('token') ?? '';
}

/** An endpoint: its path (one that ends in `/` takes everything below), its methods, and what it does. */
export interface Endpoint {
  readonly path: string;
  /** Accepts `?ns=`; all others refuse it, as Consul without Enterprise does. */
  readonly ignoresNamespace?: boolean;
  readonly methods: Readonly<
    Record<string, (core: Core, request: ApiRequest) => ApiReply | Promise<ApiReply>>
  >;
}
