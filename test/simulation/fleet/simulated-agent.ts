import { createHash } from 'node:crypto';
import { toMilliseconds } from '@rookery/discovery/adapter';
import type { VirtualClock } from '../virtual-clock.js';
import { checksOf, entryOf, type CatalogCheck, type ServiceBody } from './catalog-entry.js';
import {
  Connection,
  type CatalogAnswer,
  type CatalogRead,
  type SimulatedServers,
} from './simulated-servers.js';

export interface AgentRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly body: string;
}

export interface AgentResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

interface Held {
  readonly body: ServiceBody;
  readonly hash: string;
  /** What its checks have said, as the catalog has it. */
  output: string;
  readonly changed: Set<() => void>;
}

/** To the servers and back. */
const RPC_MS = 1;
/** Consul's `check_update_interval`: what a check says, without a change of its status, reaches the catalog half of it to one and a half later. */
const OUTPUT_MS = 300_000;
const PASSED = 'HTTP GET http://127.0.0.1:3000/health: 200 OK Output: {"status":"ok"}';

export interface SimulatedAgentOptions {
  readonly clock: VirtualClock;
  readonly random: () => number;
  readonly servers: SimulatedServers;
  /** The servers of other datacenters, by name. */
  readonly datacenters: ReadonlyMap<string, SimulatedServers>;
  readonly maxConnections: number;
}

/** The agent of a host: what is registered with it, and its connection to one of the servers. */
export class SimulatedAgent {
  readonly node: string;
  /** Open, or kept by the agent for a query that its client has left. */
  connections = 0;
  #mostConnections = 0;
  readonly #clock: VirtualClock;
  readonly #random: () => number;
  readonly #servers: SimulatedServers;
  readonly #remote: ReadonlyMap<string, SimulatedServers>;
  readonly #maxConnections: number;
  readonly #held = new Map<string, Held>();
  readonly #connection = new Connection();
  readonly #wan = new Connection();
  #isWanCut = false;

  constructor(node: string, { clock, random, servers, datacenters, maxConnections }: SimulatedAgentOptions) {
    this.node = node;
    this.#clock = clock;
    this.#random = random;
    this.#servers = servers;
    this.#remote = datacenters;
    this.#maxConnections = maxConnections;
  }

  /** Its server restarts: what waits there fails, and the next request goes to another one. */
  loseServer(): void {
    this.#connection.end();
  }

  cutWan(forMs: number): void {
    this.#isWanCut = true;
    this.#wan.end();
    this.#clock.after(forMs, () => (this.#isWanCut = false));
  }

  get isFull(): boolean {
    return this.connections >= this.#maxConnections;
  }

  connected(): void {
    this.#mostConnections = Math.max(this.#mostConnections, ++this.connections);
  }

  takeMostConnections(): number {
    const most = this.#mostConnections;
    this.#mostConnections = this.connections;
    return most;
  }

  async handle({ method, path, body }: AgentRequest): Promise<AgentResponse> {
    const { pathname, searchParams } = new URL(path, 'http://agent');
    const rest = decodeURIComponent(pathname.slice(pathname.lastIndexOf('/') + 1));
    const route = `${method} ${pathname.slice(0, pathname.lastIndexOf('/'))}`;
    switch (route) {
      case 'GET /v1/agent/service':
        return this.#service(rest, searchParams);
      case 'GET /v1/health/service':
        return this.#health(rest, searchParams);
      case 'GET /v1/health/node':
        return answerOf(await this.#servers.checksOf(rest, this.#readOf(searchParams)));
      case 'PUT /v1/agent/service':
        return this.#register(JSON.parse(body) as ServiceBody);
      case 'PUT /v1/agent/service/deregister':
        return this.#deregister(rest);
      case 'GET /v1/status':
        return json((await this.#servers.hasLeader()) ? '10.10.10.1:8300' : '');
      case 'GET /v1/agent':
        if (rest === 'checks') return json(this.#checks());
    }
    throw new Error(`the simulated agent has no ${method} ${path}`);
  }

  async #service(id: string, query: URLSearchParams): Promise<AgentResponse> {
    const held = this.#held.get(id);
    const isUnchanged = held?.hash === query.get('hash');
    if (held && isUnchanged) {
      const waitMs = waitOf(query) * (1 + this.#random() / 16);
      await new Promise<void>((resolve) => {
        const end = (): void => {
          cancel();
          held.changed.delete(end);
          resolve();
        };
        const cancel = this.#clock.after(waitMs, end);
        held.changed.add(end);
      });
    }
    const now = this.#held.get(id);
    if (!now) return { status: 404, headers: {}, body: Buffer.from(`unknown service ID: ${id}`) };
    const { ID, Name: Service, Tags, Meta, Port, Address = '' } = now.body;
    const Weights = { Passing: 1, Warning: 1 };
    const shown = {
      ID,
      Service,
      Tags,
      Meta,
      Port,
      Address,
      Weights,
      EnableTagOverride: false,
      ContentHash: now.hash,
    };
    return json(shown, { 'x-consul-contenthash': now.hash });
  }

  async #health(service: string, query: URLSearchParams): Promise<AgentResponse> {
    const datacenter = query.get('dc');
    const remote = datacenter === null ? undefined : this.#remote.get(datacenter);
    if (remote && this.#isWanCut)
      return { status: 500, headers: { 'x-consul-index': '1' }, body: Buffer.from('No path to datacenter') };
    const servers = remote ?? this.#servers;
    const read = this.#readOf(query);
    const filter = query.get('filter');
    if (filter === null)
      return answerOf(await servers.health(service, remote ? { ...read, connection: this.#wan } : read));
    const [, node] = /^Node\.Node == "(.+)"$/.exec(filter) ?? [];
    if (node === undefined) throw new Error(`the simulated agent has no filter ${filter}`);
    return json(servers.instancesOn(node, service).map((entry) => ({ ...entry.json, Checks: entry.checks })));
  }

  #register(body: ServiceBody): AgentResponse {
    const hash = createHash('sha256').update(JSON.stringify(body)).digest('hex').slice(0, 16);
    this.#held.get(body.ID)?.changed.forEach((wake) => wake());
    const held: Held = { body, hash, output: '', changed: new Set() };
    this.#held.set(body.ID, held);
    this.#sync(body.ID);
    // By what it is, and not at random, so that it is then for all parts of a fleet.
    const share = Number.parseInt(hash.slice(0, 8), 16) / 2 ** 32;
    this.#clock.after(OUTPUT_MS * (0.5 + share), () => {
      held.output = PASSED;
      if (this.#held.get(body.ID) === held) this.#sync(body.ID);
    });
    return { status: 200, headers: {}, body: Buffer.alloc(0) };
  }

  #deregister(id: string): AgentResponse {
    const held = this.#held.get(id);
    this.#held.delete(id);
    held?.changed.forEach((wake) => wake());
    this.#sync(id);
    return { status: 200, headers: {}, body: Buffer.alloc(0) };
  }

  /** In a moment: what it holds then. */
  #sync(id: string): void {
    this.#clock.after(RPC_MS * (1 + this.#random()), () => {
      const held = this.#held.get(id);
      void (held
        ? this.#servers.put(entryOf(this.node, held.body, held.output))
        : this.#servers.remove(this.node, id));
    });
  }

  #checks(): Record<string, CatalogCheck> {
    const all = [...this.#held.values()].flatMap(({ body, output }) => checksOf(this.node, body, output));
    return Object.fromEntries(all.map((check) => [check.CheckID, check]));
  }

  #readOf(query: URLSearchParams): CatalogRead {
    if (query.has('cached')) throw new Error('the simulated agent has no cache');
    return {
      index: Number(query.get('index') ?? 0),
      waitMs: waitOf(query),
      isStale: query.has('stale'),
      connection: this.#connection,
    };
  }
}

function answerOf({ status, index, body }: CatalogAnswer): AgentResponse {
  const headers = {
    'content-type': 'application/json',
    'x-consul-effective-consistency': 'leader',
    'x-consul-index': String(index),
    'x-consul-knownleader': String(status === 200),
    'x-consul-lastcontact': '0',
  };
  return { status, headers, body };
}

function json(value: unknown, headers: Readonly<Record<string, string>> = {}): AgentResponse {
  const body = Buffer.from(JSON.stringify(value));
  return {
    status: 200,
    headers: { 'content-type': 'application/json', 'x-consul-index': '1', ...headers },
    body,
  };
}

function waitOf(query: URLSearchParams): number {
  return toMilliseconds(query.get('wait') ?? 0, 'wait');
}
