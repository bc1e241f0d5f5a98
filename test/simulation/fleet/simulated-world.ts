import { seededRandom } from '@rookery/test-support';
import { VirtualClock } from '../virtual-clock.js';
import type { FleetShape } from './fleet.js';
import { entryOf } from './catalog-entry.js';
import { FleetTraffic, type SimulatedCounts } from './fleet-traffic.js';
import {
  OTHER_DATACENTER,
  type AppAgent,
  type Fault,
  type FleetWorld,
  type OtherInstance,
} from './fleet-world.js';
import { SimulatedAgent } from './simulated-agent.js';
import { simulatedPools } from './simulated-pool.js';
import { SimulatedServers } from './simulated-servers.js';

/** With Consul's `raft_multiplier` of 1. */
const ELECTION_MS = 3_000;
const FIRST_PORT = 10_000;

/** On the virtual clock, with as many hosts as it is asked for. */
export class SimulatedWorld implements FleetWorld<SimulatedCounts> {
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
    const servers = new SimulatedServers(clock, random, this.#traffic);
    this.#servers = servers;
    this.#remote = new SimulatedServers(clock, random, this.#traffic);
    const datacenters = new Map([[OTHER_DATACENTER, this.#remote]]);
    this.#agents = Array.from(
      { length: hosts },
      (_, n) => new SimulatedAgent(`host-${n}`, { clock, random, servers, datacenters, maxConnections }),
    );
  }

  get connections(): number {
    return this.#agents.reduce((sum, { connections }) => sum + connections, 0);
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

  agentOf(host: number, app: number | undefined): AppAgent {
    const agent = this.#agents[host];
    if (!agent) throw new Error(`there is no host ${host}`);
    const { clock, random } = this;
    const openPool = simulatedPools({ app, agent, clock, random, traffic: this.#traffic });
    return { url: 'http://127.0.0.1:8500', openPool };
  }

  called(hasFailed: boolean): void {
    this.#traffic.called(hasFailed);
  }

  async take(): Promise<SimulatedCounts> {
    const mostConnections = Math.max(...this.#agents.map((agent) => agent.takeMostConnections()));
    return { ...this.#traffic.take(), mostConnections, blockedReads: this.#servers.blocked };
  }

  async cause(fault: Fault, forMs: number): Promise<void> {
    switch (fault) {
      case 'leader lost':
        this.#servers.loseLeader(ELECTION_MS);
        break;
      case 'server restarted':
        // One of three: a third of the agents have it as theirs.
        for (const [n, agent] of this.#agents.entries()) if (n % 3 === 0) agent.loseServer();
        break;
      case 'datacenter cut off':
        for (const agent of this.#agents) agent.cutWan(forMs);
    }
  }

  async stop(): Promise<void> {
    await this.pass(0);
  }
}
