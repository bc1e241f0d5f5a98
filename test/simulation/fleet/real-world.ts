import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  seededRandom,
  startCluster,
  TcpProxy,
  type ConsulAgent,
  type ConsulCluster,
} from '@rookery/test-support';
import { systemClock } from '#libs/discovery/dist/timing/clock.js';
import type { FleetShape } from './fleet.js';
import type { FleetCounts, RequestKind } from './fleet-traffic.js';
import type { AppAgent, Fault, FleetWorld, OtherInstance } from './fleet-world.js';

/** How Consul's metrics call the requests of apps. */
const METRICS: readonly (readonly [pattern: RegExp, kind: RequestKind])[] = [
  [/^GET_v1_health_service_/, 'list'],
  [/^GET_v1_agent_service_/, 'own-service'],
  [/^GET_v1_health_node_/, 'own-checks'],
  [/^PUT_/, 'registration'],
];

/** It is ours, to measure. */
const MEASURING = 'GET_v1_agent_metrics';
const SAMPLE_MS = 100;
const WRITING_MS = 3_000;
const WRITERS = 16;

interface Host {
  readonly agent: ConsulAgent;
  readonly proxy: TcpProxy;
}

/** Since the cluster was started. */
interface Total extends Pick<FleetCounts, 'requests' | 'bytes'> {
  readonly at: number;
}

/**
 * Three servers and a client agent for each host, in processes of this machine, behind proxies that count bytes and connections. The requests are those
 * that the agents report of themselves.
 */
export class RealWorld implements FleetWorld<FleetCounts> {
  readonly clock = systemClock;
  readonly random: () => number;
  readonly #cluster: ConsulCluster;
  readonly #hosts: readonly Host[];
  readonly #servers = new Map<number, Server>();
  readonly #sampling: NodeJS.Timeout;
  #before: Total = { at: 0, requests: new Map(), bytes: 0 };
  #calls = 0;
  #failedCalls = 0;
  #mostConnections = 0;

  static async start({ hosts, maxConnections }: FleetShape, seed: number): Promise<RealWorld> {
    const cluster = await startCluster({
      servers: 3,
      clients: hosts,
      config: {
        limits: { http_max_conns_per_client: maxConnections },
        telemetry: { prometheus_retention_time: '1h', disable_hostname: true },
      },
    });
    const proxied = cluster.clients.map(async (agent) => ({
      agent,
      proxy: await TcpProxy.start(agent.ports.http),
    }));
    return new RealWorld(cluster, await Promise.all(proxied), seed);
  }

  private constructor(cluster: ConsulCluster, hosts: readonly Host[], seed: number) {
    this.#cluster = cluster;
    this.#hosts = hosts;
    this.random = seededRandom(seed);
    this.#sampling = setInterval(() => {
      const most = Math.max(...hosts.map(({ proxy }) => proxy.connections));
      this.#mostConnections = Math.max(this.#mostConnections, most);
    }, SAMPLE_MS);
  }

  get connections(): number {
    return this.#hosts.reduce((sum, { proxy }) => sum + proxy.connections, 0);
  }

  async pass(ms: number): Promise<void> {
    await sleep(ms);
  }

  async addOthers(others: readonly OtherInstance[]): Promise<void> {
    for (const { host, id: ID, service: Name } of others) {
      const Check = { CheckID: `${ID}:ttl`, Name: 'TTL', TTL: '1h', Status: 'passing' };
      await this.#hosts[host]?.agent.request('PUT', '/v1/agent/service/register', {
        ...{ ID, Name, Port: 80, Address: '127.0.0.1', Tags: [], Meta: {}, Check },
      });
    }
  }

  async listen(): Promise<number> {
    const server = createServer((_request, response) => response.end('{"status":"ok"}'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    this.#servers.set(port, server);
    return port;
  }

  hangUp(port: number): void {
    this.#servers.get(port)?.close();
    this.#servers.get(port)?.closeAllConnections();
    this.#servers.delete(port);
  }

  isUp(port: number): boolean {
    return port === 80 || this.#servers.has(port);
  }

  agentOf(host: number): AppAgent {
    const url = this.#hosts[host]?.proxy.url;
    if (url === undefined) throw new Error(`there is no host ${host}`);
    return { url };
  }

  called(hasFailed: boolean): void {
    this.#calls++;
    if (hasFailed) this.#failedCalls++;
  }

  async take(): Promise<FleetCounts> {
    const before = this.#before;
    const total = await this.#total();
    this.#before = total;
    const requests = [...total.requests].map(
      ([kind, count]) => [kind, count - (before.requests.get(kind) ?? 0)] as const,
    );
    const counts = {
      ms: total.at - before.at,
      requests: new Map(requests.filter(([, count]) => count > 0)),
      bytes: total.bytes - before.bytes,
      calls: this.#calls,
      failedCalls: this.#failedCalls,
      mostConnections: this.#mostConnections,
    };
    this.#calls = this.#failedCalls = this.#mostConnections = 0;
    return counts;
  }

  /** How many writes to its keys a cluster takes in a second, from its client agents. */
  async writesPerSecond(): Promise<number> {
    const until = this.clock.now() + WRITING_MS;
    let writes = 0;
    const writeOn = async ({ agent }: Host, writer: number): Promise<void> => {
      while (this.clock.now() < until) {
        await agent.request('PUT', `/v1/kv/sizing/${writer}`, String(writes));
        writes++;
      }
    };
    const writers = this.#hosts.flatMap((host, of) =>
      Array.from({ length: WRITERS }, (_, n) => writeOn(host, of * WRITERS + n)),
    );
    await Promise.all(writers);
    return (writes * 1_000) / WRITING_MS;
  }

  async cause(fault: Fault): Promise<void> {
    throw new Error(`${fault}: a real cluster has no faults here`);
  }

  async stop(): Promise<void> {
    clearInterval(this.#sampling);
    for (const port of [...this.#servers.keys()]) this.hangUp(port);
    await Promise.all(this.#hosts.map(({ proxy }) => proxy.stop()));
    await this.#cluster.stop();
  }

  async #total(): Promise<Total> {
    const requests = new Map<RequestKind, number>();
    for (const { agent } of this.#hosts) {
      const { text } = await agent.request('GET', '/v1/agent/metrics?format=prometheus');
      for (const [, name = '', count] of text.matchAll(/^consul_http_(\w+)_count (\d+)$/gm)) {
        if (name.startsWith(MEASURING)) continue;
        const kind = METRICS.find(([pattern]) => pattern.test(name))?.[1] ?? 'other';
        requests.set(kind, (requests.get(kind) ?? 0) + Number(count));
      }
    }
    const bytes = this.#hosts.reduce((sum, { proxy }) => sum + proxy.bytes, 0);
    return { at: this.clock.now(), requests, bytes };
  }
}
