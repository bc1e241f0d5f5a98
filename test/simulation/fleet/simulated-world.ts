import { seededRandom } from '@rookery/test-support';
import { VirtualClock } from '../virtual-clock.js';
import type { FleetShape } from './fleet.js';
import { FleetTraffic } from './fleet-traffic.js';
import type { FleetWindow, FleetWorld, OtherInstance } from './fleet-world.js';
import { entryOf, SimulatedAgent } from './simulated-agent.js';
import { simulatedPools } from './simulated-pool.js';
import { SimulatedServers } from './simulated-servers.js';

/** With Consul's `raft_multiplier` of 1. */
const ELECTION_MS = 3_000;
const FIRST_PORT = 10_000;
const OTHER_DATACENTER = 'dc2';

/** On the virtual clock, with as many hosts as it is asked for. */
export class SimulatedWorld implements FleetWorld {
  readonly clock = new VirtualClock();
  readonly random: () => number;
  readonly #traffic = new FleetTraffic(() => this.clock.now());
  readonly #servers: SimulatedServers;
  readonly #remote: SimulatedServers;
  readonly #agents: readonly SimulatedAgent[];
  readonly #up = new Set<number>();
  #nextPort = FIRST_PORT;

  constructor({ hosts, maxConnections }: Pick<FleetShape, 'hosts' | 'maxConnections'>, seed: number) {
    const { clock } = this;
    const random = seededRandom(seed);
    this.random = random;
    const [servers, remote] = [1, 2].map(() => new SimulatedServers(clock, random, this.#traffic));
    if (!servers || !remote) throw new Error('no servers');
    this.#servers = servers;
    this.#remote = remote;
    const datacenters = new Map([[OTHER_DATACENTER, remote]]);
    this.#agents = Array.from(
      { length: hosts },
      (_, n) => new SimulatedAgent(`host-${n}`, { clock, random, servers, datacenters, maxConnections }),
    );
  }

  get connections(): number {
    return this.#agents.reduce((sum, { connections }) => sum + connections, 0);
  }

  get blockedReads(): number {
    return this.#servers.blocked;
  }

  pass(ms: number): Promise<void> {
    return this.clock.runUntil(this.clock.now() + ms);
  }

  async addOthers(others: readonly OtherInstance[]): Promise<void> {
    for (const { host, id: ID, service: Name } of others) {
      const Checks = [{ CheckID: `${ID}:ttl`, Name: 'TTL' }];
      const entry = entryOf(`host-${host}`, {
        ...{ ID, Name, Port: 80, Address: '127.0.0.1', Tags: [], Meta: {}, Checks },
      });
      for (const servers of [this.#servers, this.#remote]) await servers.put(entry);
    }
  }

  async listen(): Promise<number> {
    this.#up.add(this.#nextPort);
    return this.#nextPort++;
  }

  hangUp(port: number): void {
    this.#up.delete(port);
  }

  isUp(port: number): boolean {
    return port < FIRST_PORT || this.#up.has(port);
  }

  agentOf(host: number, app: number): ReturnType<FleetWorld['agentOf']> {
    const agent = this.#agents[host];
    if (!agent) throw new Error(`there is no host ${host}`);
    const { clock, random } = this;
    const openPool = simulatedPools({ app, agent, clock, random, traffic: this.#traffic });
    return { url: 'http://127.0.0.1:8500', openPool };
  }

  called(hasFailed: boolean): void {
    this.#traffic.called(hasFailed);
  }

  async openWindow(name: string): Promise<void> {
    this.#takeMostConnections();
    this.#traffic.open(name);
  }

  async closeWindow(): Promise<FleetWindow> {
    return { ...this.#traffic.open(''), mostConnections: this.#takeMostConnections() };
  }

  async loseLeader(): Promise<void> {
    this.#servers.loseLeader(ELECTION_MS);
  }

  /** One of three: a third of the agents have it as theirs. */
  async restartServer(): Promise<void> {
    for (const [n, agent] of this.#agents.entries()) if (n % 3 === 0) agent.loseServer();
  }

  async cutWan(forMs: number): Promise<void> {
    for (const agent of this.#agents) agent.cutWan(forMs);
  }

  async stop(): Promise<void> {
    await this.pass(0);
  }

  /** Of an agent since the last time. */
  #takeMostConnections(): number {
    return Math.max(...this.#agents.map((agent) => agent.takeMostConnections()));
  }
}
