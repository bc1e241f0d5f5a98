import { randomUUID } from 'node:crypto';
import { aclEndpoints } from './acl/acl.endpoints.js';
import { agentEndpoints } from './agent/agent.endpoints.js';
import { checkEndpoints } from './agent/check.endpoints.js';
import { catalogEndpoints } from './catalog/catalog.endpoints.js';
import { memberEndpoints } from './agent/member.endpoints.js';
import { processEndpoints } from './agent/process.endpoints.js';
import { connectEndpoints } from './connect/connect.endpoints.js';
import { coordinateEndpoints } from './coordinate/coordinate.endpoints.js';
import { Core, type Endpoint } from './core.js';
import { loadData, type EmbeddedData } from './data/load-data.js';
import { eventEndpoints } from './event/event.endpoints.js';
import { Faults } from './faults/faults.js';
import { healthEndpoints } from './health/health.endpoints.js';
import { notImplementedEndpoints } from './http/not-implemented.js';
import { operatorEndpoints } from './operator/operator.endpoints.js';
import { ApiServer } from './http/server.js';
import { kvEndpoints } from './kv/kv.endpoints.js';
import { uiEndpoints } from './ui/ui.endpoints.js';
import { txnEndpoints } from './txn/txn.endpoints.js';
import { queryEndpoints } from './prepared-query/query.endpoints.js';
import { sessionEndpoints } from './session/session.endpoints.js';
import { statusEndpoints } from './status/status.endpoints.js';
import { ControllableClock } from './time/controllable-clock.js';

export interface EmbeddedAclOptions {
  /** May do everything. Default: none; the first is made by `PUT /v1/acl/bootstrap`. */
  managementToken?: string;
  /** What a token may do that no rule speaks of. Default: `deny`. */
  defaultPolicy?: 'allow' | 'deny';
}

export interface EmbeddedConsulOptions {
  /** Default: 0, a free one. */
  port?: number;
  /** Default: `127.0.0.1`. */
  host?: string;
  /** Default: `embedded-` and a number. */
  node?: string;
  /** Default: a random UUID. */
  nodeId?: string;
  /** What `?node-meta=` finds it by. Default: none. */
  nodeMeta?: Readonly<Record<string, string>>;
  /** Default: `dc1`. */
  datacenter?: string;
  /** Turns ACLs on. Default: off. */
  acl?: EmbeddedAclOptions;
  /** Statuses and texts of 1.8, or those of newer versions where they are known to differ. Default: `1.8`. */
  compatibility?: '1.8' | 'latest';
  /** Listens on a Unix socket at this path, and on no port. Default: none. */
  socket?: string;
  /** Runs the programs of `script` checks that are registered, as `enable_script_checks` does. Default: false, they are refused. */
  enableScriptChecks?: boolean;
  /** Services and keys that are there from the beginning. Default: none. */
  data?: EmbeddedData;
  /** Called after `PUT /v1/agent/leave`, as `consul leave` sends it; the agent goes on answering. Default: nothing. */
  onLeave?: () => void;
  /** Uniform in [0, 1), for jitter and the first run of a check. Default: `Math.random`. */
  random?: () => number;
}

let started = 0;

/**
 * An agent in this process that speaks Consul's HTTP API, for development and tests. It keeps everything in memory: no
 * store to trust data to.
 *
 * @example
 * ```ts
 * const consul = await EmbeddedConsul.start();
 * // ... an app with agent: { url: consul.url }
 * await consul.stop();
 * ```
 */
export class EmbeddedConsul {
  /** The agent's clock, which a test can advance: TTLs, sessions, reapers and waits follow. */
  readonly clock: ControllableClock;
  readonly faults: Faults;
  readonly #server: ApiServer;
  readonly #host: string;
  readonly #core: Core;
  readonly #socket: string | undefined;
  #stopped: Promise<void> | undefined;

  static async start(options: EmbeddedConsulOptions = {}): Promise<EmbeddedConsul> {
    const consul = new EmbeddedConsul(options);
    const { port = 0, socket, data } = options;
    try {
      if (data) loadData(consul.#core, data);
      const at = socket === undefined ? { host: consul.#host, port } : { path: socket };
      consul.#core.httpPort = (await consul.#server.listen(at)) ?? 0;
    } catch (error) {
      consul.#core.stop();
      throw error;
    }
    return consul;
  }

  private constructor(options: EmbeddedConsulOptions) {
    this.#host = options.host ?? '127.0.0.1';
    this.#socket = options.socket;
    this.clock = new ControllableClock();
    this.#core = new Core({
      identity: {
        node: options.node ?? `embedded-${++started}`,
        nodeId: options.nodeId ?? randomUUID(),
        address: '127.0.0.1',
        datacenter: options.datacenter ?? 'dc1',
        nodeMeta: options.nodeMeta ?? {},
      },
      port: 8300,
      clock: this.clock,
      random: options.random ?? Math.random,
      acl: {
        enabled: options.acl !== undefined,
        managementToken: options.acl?.managementToken,
        defaultPolicy: options.acl?.defaultPolicy ?? 'deny',
      },
      compatibility: options.compatibility ?? '1.8',
      enableScriptChecks: options.enableScriptChecks ?? false,
    });
    this.#core.onLeave = options.onLeave ?? (() => undefined);
    this.faults = new Faults(
      () => this.#core,
      () => this.#server.resetAll(),
    );
    this.#server = new ApiServer(() => this.#core, endpoints, this.faults);
  }

  /** Where it listens, such as `http://127.0.0.1:43210`, or `unix:///run/consul.sock`. */
  get url(): string {
    if (this.#socket !== undefined) return `unix://${this.#socket}`;
    return `http://${this.#host}:${this.#core.httpPort}`;
  }

  /** Open connections, and reads that block. */
  get load(): { connections: number; blocked: number } {
    return { connections: this.#server.connections, blocked: this.#core.indexes.waiters };
  }

  /** Ends every connection and every timer. Idempotent. */
  async stop(): Promise<void> {
    this.#stopped ??= (async () => {
      this.#core.stop();
      await this.#server.close();
    })();
    await this.#stopped;
  }
}

const endpoints: readonly Endpoint[] = [
  ...agentEndpoints,
  ...checkEndpoints,
  ...catalogEndpoints,
  ...healthEndpoints,
  ...kvEndpoints,
  ...txnEndpoints,
  ...sessionEndpoints,
  ...statusEndpoints,
  ...eventEndpoints,
  ...queryEndpoints,
  ...aclEndpoints,
  ...memberEndpoints,
  ...processEndpoints,
  ...operatorEndpoints,
  ...connectEndpoints,
  ...coordinateEndpoints,
  ...uiEndpoints,
  ...notImplementedEndpoints,
];
