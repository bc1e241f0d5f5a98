import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  AppProcess,
  eventually,
  freePorts,
  seededRandom,
  startCluster,
  type BareAnswer,
  type ConsulCluster,
} from '@rookery/test-support';
import { startFaultApp } from './fault-app.js';
import { FaultProxy, type Fault } from './fault-proxy.js';
import { instancesOf } from './registry-view.js';

const CALLER = fileURLToPath(new URL('./chaos-caller.mjs', import.meta.url));
const SERVICE = 'chaotic';
const MANAGEMENT = '00000000-0000-4000-8000-00000000c4a0';
const RULES = 'service_prefix "" { policy = "write" } node_prefix "" { policy = "read" }';
const PROVIDERS_PER_AGENT = 3;
/** Far more than it takes, since the machine is shared. */
const VIEW_WITHIN_MS = 25_000;
/** A provider reads a new token after 5 s, or when the old one is refused. */
const TOKEN_OVERLAP_MS = 8_000;

interface Provider {
  readonly port: number;
  readonly id: string;
  readonly agent: number;
  process: AppProcess;
}

interface Token {
  readonly AccessorID: string;
  readonly SecretID: string;
}

export interface CallerState {
  readonly done: { readonly get: number; readonly post: number };
  readonly failed: readonly { readonly kind: 'get' | 'post'; readonly reason: string }[];
  readonly heap: number;
  readonly view: readonly string[];
}

/** One thing that goes wrong, and how it is healed. */
interface Disturbance {
  readonly what: string;
  readonly begin: () => Promise<void>;
  readonly heal: () => Promise<void>;
}

/**
 * Three servers, two agents with three providers each, and a caller, with a proxy before each agent. Rounds of random faults,
 * the same for the same seed: at least half of the providers, and one agent, are always left alone.
 */
export class Chaos {
  readonly #random: () => number;
  readonly #folder = mkdtempSync(join(tmpdir(), 'rookery-chaos-'));
  readonly #begun = performance.now();
  readonly #log: string;
  readonly #tokenFile: string;
  readonly #orders: string;
  readonly providers: Provider[] = [];
  /** How long each SIGTERM took to end a provider, in milliseconds. */
  readonly exits: number[] = [];
  #cluster: ConsulCluster | undefined;
  #proxies: FaultProxy[] = [];
  #caller: AppProcess | undefined;
  #token: Token | undefined;
  #retired: Promise<unknown>[] = [];

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    this.#log = join(this.#folder, 'chaos.log');
    this.#tokenFile = join(this.#folder, 'token');
    this.#orders = join(this.#folder, 'orders');
    writeFileSync(this.#orders, '');
  }

  get logFile(): string {
    return this.#log;
  }

  async start(): Promise<void> {
    this.#cluster = await startCluster({ servers: 3, clients: 2, token: MANAGEMENT });
    await this.#write('PUT', '/v1/acl/policy', { Name: 'app', Rules: RULES });
    await this.#rotate();
    for (const agent of this.#cluster.clients) this.#proxies.push(await FaultProxy.start(agent.url));
    for (const agent of this.#proxies.keys())
      for (let n = 0; n < PROVIDERS_PER_AGENT; n++) this.providers.push(await this.#startProvider(agent));
    const [port = 0] = await freePorts(1);
    const agent = { url: this.#proxies.map(({ url }) => url), tokenFile: this.#tokenFile };
    const clients = { timeout: '30s', attemptTimeout: '2s', retries: 5, retryBudget: { perSecond: 1_000 } };
    this.#caller = await AppProcess.start({
      main: CALLER,
      port,
      environment: { CHAOS_CALLER: JSON.stringify({ service: SERVICE, options: { agent, clients } }) },
    });
    await this.untilConverged(60_000);
  }

  /** One round: some faults at the same time, for some seconds, and their end. */
  async round(): Promise<void> {
    const disturbances = this.#choose();
    this.note(`begin: ${disturbances.map(({ what }) => what).join('; ')}`);
    for (const { begin } of disturbances) await begin();
    await sleep(1_500 + 3_500 * this.#random());
    this.note('heal');
    for (const { heal } of disturbances) await heal();
  }

  /**
   * Resolves when the registry lists every provider as passing, and nothing else, and the caller sees the same. The registry may go
   * wrong again meanwhile: an agent that was frozen can be found dead after it is back.
   *
   * @returns how long the registry took, and the caller after it was right for the last time, in milliseconds
   */
  async untilConverged(withinMs: number): Promise<{ registryMs: number; viewMs: number }> {
    const expected = JSON.stringify(this.providers.map(({ id }) => id).sort());
    const [server] = this.#cluster?.servers ?? [];
    if (!server) throw new Error('not started');
    const healed = performance.now();
    let rightSince: number | undefined;
    for (;;) {
      const [listed, { view }] = await Promise.all([instancesOf(server, SERVICE), this.callerState()]);
      const isRight =
        listed.every(({ status }) => status === 'passing') &&
        JSON.stringify(listed.map(({ id }) => id).sort()) === expected;
      const now = performance.now();
      rightSince = isRight ? (rightSince ?? now) : undefined;
      if (rightSince !== undefined && JSON.stringify([...view].sort()) === expected)
        return { registryMs: rightSince - healed, viewMs: now - rightSince };
      const seen = `the registry lists ${listed.map(({ id, status }) => `${id} ${status}`).join(', ')}; the caller sees ${view.join(', ')}`;
      if (now - healed > withinMs) throw new Error(`the registry did not converge: ${seen}`);
      if (rightSince !== undefined && now - rightSince > VIEW_WITHIN_MS)
        throw new Error(`the caller did not converge: ${seen}`);
      await sleep(50);
    }
  }

  async callerState(): Promise<CallerState> {
    return (await (await fetch(`${this.#caller?.url}/state`)).json()) as CallerState;
  }

  /** Orders that were executed more than once. */
  get doubled(): readonly string[] {
    const orders = readFileSync(this.#orders, 'utf8').split('\n').filter(Boolean);
    return orders.filter((order, at) => orders.indexOf(order) !== at);
  }

  note(text: string): void {
    appendFileSync(this.#log, `${Math.round(performance.now() - this.#begun)} ms: ${text}\n`);
  }

  /** @param keepLog the log of the rounds, with what every process wrote */
  async stop({ keepLog }: { keepLog: boolean }): Promise<void> {
    for (const { id, process } of this.providers)
      this.note(`output of ${id}:\n${process.output.slice(-20_000)}`);
    this.note(`output of the caller:\n${this.#caller?.output ?? ''}`);
    await this.#caller?.kill();
    await Promise.all(this.providers.map(({ process }) => process.kill()));
    await Promise.all(this.#proxies.map((proxy) => proxy.stop()));
    await Promise.all(this.#retired);
    await this.#cluster?.stop();
    if (!keepLog) rmSync(this.#folder, { recursive: true });
  }

  /** A SIGTERM to every provider: how long each took, and what is left in the registry. */
  async shutDown(): Promise<readonly string[]> {
    await fetch(`${this.#caller?.url}/stop`);
    await Promise.all(this.providers.map(async (provider) => this.#terminate(provider)));
    const [server] = this.#cluster?.servers ?? [];
    return server ? (await instancesOf(server, SERVICE)).map(({ id }) => id) : [];
  }

  async #startProvider(agent: number, port?: number): Promise<Provider> {
    const [free = 0] = port === undefined ? await freePorts(1) : [port];
    const id = `${SERVICE}-${free}`;
    const process = await startFaultApp({
      port: free,
      options: {
        agent: { url: this.#proxies[agent]?.url ?? '', tokenFile: this.#tokenFile },
        service: {
          ...{ name: SERVICE, id },
          check: { type: 'http', interval: '1s', timeout: '1s' },
        },
      },
      environment: { FAULT_ORDERS: this.#orders },
    });
    return { port: free, id, agent, process };
  }

  async #restart(provider: Provider): Promise<void> {
    this.note(`output of ${provider.id}, which ended:\n${provider.process.output.slice(-5_000)}`);
    provider.process = (await this.#startProvider(provider.agent, provider.port)).process;
  }

  async #terminate(provider: Provider): Promise<void> {
    const begun = performance.now();
    const { signal } = await provider.process.stop(60_000);
    this.exits.push(signal === 'SIGKILL' ? Infinity : performance.now() - begun);
  }

  async #rotate(): Promise<void> {
    const old = this.#token;
    const { body } = await this.#write('PUT', '/v1/acl/token', { Policies: [{ Name: 'app' }] });
    this.#token = body as Token;
    writeFileSync(this.#tokenFile, this.#token.SecretID);
    if (!old) return;
    const retire = async (): Promise<void> => {
      await sleep(TOKEN_OVERLAP_MS);
      await this.#write('DELETE', `/v1/acl/token/${old.AccessorID}`);
    };
    this.#retired.push(retire().catch((error: unknown) => this.note(`not revoked: ${String(error)}`)));
  }

  /** Again until it is done: without a leader, and in the first second of a cluster with ACLs, there is an error. */
  async #write(method: string, path: string, content?: unknown): Promise<BareAnswer> {
    const server = this.#cluster?.servers[0];
    if (!server) throw new Error('not started');
    const write = async (): Promise<BareAnswer | undefined> => {
      const answer = await server.request(method, path, content);
      return answer.status === 200 ? answer : undefined;
    };
    return eventually(write, { within: 30_000, every: 200 });
  }

  /** One to three of them: of the providers of one agent, of that agent, of the servers, and a new token. */
  #choose(): readonly Disturbance[] {
    const agent = this.#pick([0, 1]);
    const own = this.providers.filter((provider) => provider.agent === agent);
    const candidates: Disturbance[] = [
      this.#ofProvider(this.#pick(own)),
      ...(this.#random() < 0.5 ? [this.#ofProvider(this.#pick(own))] : []),
      ...(this.#random() < 0.7 ? [this.#ofAgent(agent)] : []),
      ...(this.#random() < 0.3 ? [this.#ofServer()] : []),
      ...(this.#random() < 0.3 ? [this.#ofToken()] : []),
    ];
    const isFirst = ({ what }: Disturbance, at: number): boolean => {
      const [subject] = what.split(':');
      return candidates.findIndex((other) => other.what.startsWith(`${subject}:`)) === at;
    };
    return candidates.filter(isFirst).slice(0, 4);
  }

  #ofProvider(provider: Provider): Disturbance {
    const how = this.#pick(['killed', 'restarted', 'frozen', 'frozen'] as const);
    const signal = (name: NodeJS.Signals) => async (): Promise<void> => {
      process.kill(provider.process.pid ?? NaN, name);
    };
    const what = `${provider.id}: ${how}`;
    if (how === 'frozen') return { what, begin: signal('SIGSTOP'), heal: signal('SIGCONT') };
    const begin = how === 'killed' ? () => provider.process.kill() : () => this.#terminate(provider);
    return { what, begin, heal: () => this.#restart(provider) };
  }

  #ofAgent(index: number): Disturbance {
    const how = this.#pick(['frozen', 'unreachable', 'slow', 'garbage'] as const);
    const what = `agent ${index}: ${how}`;
    const agent = this.#cluster?.clients[index];
    const proxy = this.#proxies[index];
    if (!agent || !proxy) throw new Error('not started');
    if (how === 'frozen') return { what, begin: async () => agent.pause(), heal: async () => agent.resume() };
    const faults = { unreachable: 'reset', slow: { delay: 1_500 }, garbage: 'garbage' } as const;
    const set = (fault: Fault | undefined) => async (): Promise<void> => {
      proxy.fault = () => fault;
      if (fault === 'reset') proxy.resetAll();
    };
    return { what, begin: set(faults[how]), heal: set(undefined) };
  }

  #ofServer(): Disturbance {
    // The first one is asked for what the registry lists.
    const server = this.#pick((this.#cluster?.servers ?? []).slice(1));
    return {
      what: `server ${server.node}: frozen`,
      begin: async () => server.pause(),
      heal: async () => server.resume(),
    };
  }

  #ofToken(): Disturbance {
    let rotation: Promise<void> | undefined;
    return {
      what: 'token: rotated',
      // Not awaited: it may have to wait until the servers that are frozen in the same round are well again.
      begin: async () => {
        rotation = this.#rotate();
        rotation.catch(() => undefined);
      },
      heal: async () => rotation,
    };
  }

  #pick<T>(from: readonly T[]): T {
    const picked = from[Math.floor(this.#random() * from.length)];
    if (picked === undefined) throw new Error('nothing to pick from');
    return picked;
  }
}
