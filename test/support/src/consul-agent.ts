import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bareRequest, type BareAnswer, type BareRequest } from './bare-request.js';
import { endWithUs, exited } from './child-processes.js';
import { eventually } from './eventually.js';
import { findConsul, HOW_TO_GET_CONSUL } from './find-consul.js';
import { freePorts } from './free-ports.js';
import type { TestCertificates } from './test-certificates.js';

export interface ConsulAgentOptions {
  /** `dev`: a server in memory. Default: `dev`. */
  mode?: 'dev' | 'server' | 'client';
  /** Default: the mode and the port. */
  node?: string;
  /** Default: a random UUID. */
  nodeId?: string;
  datacenter?: string;
  /** How many servers elect a leader; for mode `server`. Default: 1. */
  expect?: number;
  /** Agents of the same datacenter to join. */
  join?: readonly ConsulAgent[];
  /** Servers of other datacenters to join. */
  joinWan?: readonly ConsulAgent[];
  /** Turns ACLs on, default deny, with this UUID as the management token. */
  token?: string;
  /** Opens the HTTPS port as well; `config` names the certificates. */
  https?: boolean;
  /** TLS only: HTTPS for clients with a certificate of this authority. */
  certificates?: Pick<TestCertificates, 'file'>;
  /** More of the agent's JSON configuration. */
  config?: Record<string, unknown>;
}

export interface AgentPorts {
  readonly http: number;
  readonly dns: number;
  readonly server: number;
  readonly serf_lan: number;
  readonly serf_wan: number;
  readonly https: number;
}

const READY_WITHIN_MS = 60_000;
const TRIES = 4;

/** A real Consul agent on loopback. Its ports, node id and data stay the same over `restart()`. */
export class ConsulAgent {
  readonly node: string;
  readonly nodeId: string;
  readonly ports: AgentPorts;
  readonly #options: ConsulAgentOptions;
  readonly #home: string;
  #process: ChildProcess;

  /** Starts an agent and waits until it is usable: a leader is known, and this node passes in the catalog. */
  static async start(options: ConsulAgentOptions = {}): Promise<ConsulAgent> {
    const agent = await ConsulAgent.launch(options);
    await agent.ready();
    return agent;
  }

  /** Starts an agent and waits only until its HTTP port answers; the members of a cluster elect a leader together. */
  static async launch(options: ConsulAgentOptions = {}): Promise<ConsulAgent> {
    for (let tries = 1; ; tries++) {
      const [http = 0, dns = 0, server = 0, serf_lan = 0, serf_wan = 0, https = 0] = await freePorts(6);
      const agent = new ConsulAgent(options, { http, dns, server, serf_lan, serf_wan, https });
      try {
        await agent.up();
        return agent;
      } catch (error) {
        await agent.stop();
        const portTaken = String(error).includes('address already in use');
        if (!portTaken || tries === TRIES) throw error;
      }
    }
  }

  private constructor(options: ConsulAgentOptions, ports: AgentPorts) {
    this.#options = options;
    this.ports = ports;
    this.nodeId = options.nodeId ?? randomUUID();
    this.node = options.node ?? `${options.mode ?? 'dev'}-${ports.http}`;
    this.#home = mkdtempSync(join(tmpdir(), 'rookery-consul-'));
    this.#process = this.#spawn();
  }

  get url(): string {
    const { https, http } = this.ports;
    return this.#options.certificates ? `https://127.0.0.1:${https}` : `http://127.0.0.1:${http}`;
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get log(): string {
    return readFileSync(join(this.#home, 'agent.log'), 'utf8');
  }

  /** SIGKILL: without leaving the cluster. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await exited(this.#process);
  }

  /** SIGSTOP: it accepts connections and never answers. */
  pause(): void {
    this.#process.kill('SIGSTOP');
    // A thread on another core stops a moment later: until then it may still answer.
    const stat = `/proc/${this.#process.pid}/stat`;
    for (let looks = 0; looks < 10_000; looks++) {
      if (!existsSync(stat) || readFileSync(stat, 'utf8').includes(') T ')) return;
    }
  }

  resume(): void {
    this.#process.kill('SIGCONT');
  }

  /** Starts again on the same ports after `kill()`; a dev agent has forgotten everything in any case. */
  async restart({ keepData = true }: { keepData?: boolean } = {}): Promise<void> {
    await this.relaunch({ keepData });
    await this.ready();
  }

  /** Like `restart`, but resolves as soon as HTTP answers, with or without a leader. */
  async relaunch({ keepData = true }: { keepData?: boolean } = {}): Promise<void> {
    await this.kill();
    if (!keepData) rmSync(this.#dataDirectory, { recursive: true, force: true });
    this.#process = this.#spawn();
    await this.up();
  }

  /** Ends it and removes its files. */
  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#home, { recursive: true, force: true });
  }

  /** HTTP answers, and it is this agent's: on a port conflict it would be another one's. */
  async up(): Promise<void> {
    await this.#until(async () => {
      // Without a leader, no token is known yet that may read the agent's own data.
      if (this.#options.token) return (await this.request('GET', '/v1/status/leader')).status === 200;
      const { body } = await this.request('GET', '/v1/agent/self');
      return (body as { Config?: { NodeID?: string } } | undefined)?.Config?.NodeID === this.nodeId;
    });
  }

  async ready(): Promise<void> {
    await this.up();
    await this.#until(async () => {
      const leader = await this.request('GET', '/v1/status/leader');
      if (!leader.body) return false;
      const node = await this.request('GET', `/v1/health/node/${this.node}`);
      const checks = node.body as { CheckID: string; Status: string }[];
      const passing = checks.some(({ CheckID, Status }) => CheckID === 'serfHealth' && Status === 'passing');
      return passing && node.headers.get('x-consul-knownleader') === 'true';
    });
  }

  /** A bare request, to look at Consul without the client under test. */
  request(...request: BareRequest): Promise<BareAnswer> {
    const { token, certificates } = this.#options;
    return bareRequest({ url: this.url, token, certificates }, ...request);
  }

  get #dataDirectory(): string {
    return join(this.#home, 'data');
  }

  async #until(check: () => Promise<boolean>): Promise<void> {
    const child = this.#process;
    let hasEnded = false;
    await Promise.race([
      eventually(async () => hasEnded || (await check()), { within: READY_WITHIN_MS, every: 15 }),
      exited(child).then((end) => {
        hasEnded = true;
        throw new Error(`consul ${this.node} ended (${JSON.stringify(end)}):\n${this.log.slice(-2_000)}`);
      }),
    ]);
  }

  #spawn(): ChildProcess {
    const binary = findConsul();
    if (!binary) throw new Error(`no consul: ${HOW_TO_GET_CONSUL}`);
    const mode = this.#options.mode ?? 'dev';
    const file = join(this.#home, 'config.json');
    writeFileSync(file, JSON.stringify(this.#configuration(mode)));
    const log = openSync(join(this.#home, 'agent.log'), 'a');
    const child = spawn(
      binary,
      [
        'agent',
        ...(mode === 'dev' ? ['-dev'] : [`-data-dir=${this.#dataDirectory}`]),
        `-config-file=${file}`,
      ],
      // Detached: Ctrl-C in a terminal reaches the whole group, and the apps must be able to deregister first.
      { stdio: ['ignore', log, log], detached: true, env: { PATH: process.env.PATH } },
    );
    closeSync(log);
    endWithUs(child);
    return child;
  }

  #configuration(mode: 'dev' | 'server' | 'client'): Record<string, unknown> {
    const { datacenter, expect, join: peers, joinWan, token, certificates, https, config } = this.#options;
    const wan = (agents: readonly ConsulAgent[]): string[] =>
      agents.map(({ ports }) => `127.0.0.1:${ports.serf_wan}`);
    const lan = (agents: readonly ConsulAgent[]): string[] =>
      agents.map(({ ports }) => `127.0.0.1:${ports.serf_lan}`);
    return {
      node_name: this.node,
      node_id: this.nodeId,
      datacenter: datacenter ?? 'dc1',
      bind_addr: '127.0.0.1',
      advertise_addr: '127.0.0.1',
      client_addr: '127.0.0.1',
      ports: {
        ...this.ports,
        grpc: -1,
        http: certificates ? -1 : this.ports.http,
        https: https || certificates ? this.ports.https : -1,
      },
      ...(certificates
        ? {
            ca_file: certificates.file('ca'),
            cert_file: certificates.file('server'),
            key_file: certificates.file('server-key'),
            verify_incoming_https: true,
          }
        : {}),
      disable_update_check: true,
      disable_host_node_id: true,
      // The default elects five times slower, and notices a dead agent ten times later.
      ...(mode === 'server'
        ? { server: true, bootstrap_expect: expect ?? 1, performance: { raft_multiplier: 1 } }
        : {}),
      ...(mode === 'dev' ? {} : { gossip_lan: FAST_GOSSIP }),
      ...(peers?.length ? { retry_join: lan(peers), retry_interval: '200ms' } : {}),
      ...(joinWan?.length ? { retry_join_wan: wan(joinWan), retry_interval_wan: '200ms' } : {}),
      ...(token
        ? { acl: { enabled: true, default_policy: 'deny', tokens: { master: token, agent: token } } }
        : {}),
      ...config,
    };
  }
}

const FAST_GOSSIP = {
  probe_interval: '100ms',
  probe_timeout: '100ms',
  suspicion_mult: 3,
  gossip_interval: '100ms',
};
