import { Agent as HttpsAgent } from 'node:https';
import { isIP } from 'node:net';
import { Agent, buildConnector, Pool, type Dispatcher } from 'undici';
import type { Certificates } from '../certificates/certificate-source.js';
import { toTlsOptions, type TlsConnectOptions, type TlsSettings } from '../certificates/tls-settings.js';
import type { ServiceMesh } from '../certificates/service-mesh.js';
import type { ConnectionSettings } from '../calling/options/connection-options.js';
import { originOf, type ServiceInstance } from '../registry/service-instance.js';
import { systemClock, type Clock } from '../timing/clock.js';
import { InstancePool, type SentLater } from './instance-pool.js';
import { skipContinue } from './skip-continue.js';

const CONNECT_TIMEOUT_MS = 1_000;
/** To one host outside of the service. */
const EXTERNAL_CONNECTIONS = 64;
/** Connections with certificates from before answer calls for so long, while others are made in their place. */
const RENEWAL_MS = 2_000;

/** A Host header, which may come from outside, does not decide which certificate is expected. */
function connectorWith(tls: Partial<TlsConnectOptions> = {}): buildConnector.connector {
  const connect = buildConnector({ timeout: CONNECT_TIMEOUT_MS, ...tls });
  return (options, done) => {
    const { hostname } = options;
    const servername = tls.servername ?? (isIP(hostname.replace(/^\[|\]$/g, '')) ? undefined : hostname);
    connect({ ...options, servername }, done);
  };
}

/** For undici, which takes a `100 Continue` for a broken response. */
function skippingContinue(connect: buildConnector.connector): buildConnector.connector {
  return (options, done) =>
    connect(options, (...result) => {
      const [, socket] = result;
      if (socket) skipContinue(socket);
      done(...result);
    });
}

/** The connections to one instance. */
export class InstanceConnections {
  readonly origin: string;
  readonly pool: Pool;
  readonly #connections: InstancePool | Pool;
  readonly settings: ConnectionSettings;
  /** That they were made with. */
  readonly connecting: Connecting;
  isReleased = false;
  /** Those with the certificates from before, while these are made. */
  before: { readonly connections: InstanceConnections; readonly until: number } | undefined;

  /** @param now makes a connection with the certificates that there are when it begins */
  constructor(
    origin: string,
    settings: ConnectionSettings,
    connecting: Connecting,
    now: buildConnector.connector,
  ) {
    this.origin = origin;
    this.settings = settings;
    this.connecting = connecting;
    const { maxConnections } = settings;
    // Over TLS one that has waited for others would be made with certificates from before.
    const connections: InstancePool | Pool = origin.startsWith('https:')
      ? new InstancePool(origin, maxConnections, now)
      : new Pool(origin, { connections: maxConnections, connect: connecting.pooled });
    this.#connections = connections;
    this.pool = connections instanceof InstancePool ? connections.pool : connections;
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: SentLater): void {
    this.#connections.dispatch(options, handler);
  }

  /** Ends when all requests have their responses. */
  close(): Promise<void> {
    return this.#connections.close();
  }

  destroy(): Promise<void> {
    return this.#connections.destroy();
  }

  /** The next request would wait for a handshake, and so do others. */
  get areBeingMade(): boolean {
    const { free, pending } = this.pool.stats;
    return free === 0 && pending > 0;
  }

  get areFree(): boolean {
    return this.pool.stats.free > 0;
  }

  /** Requests wait for a connection because others, such as open response streams, have all of them. */
  get areInUse(): boolean {
    const { connected, queued } = this.pool.stats;
    return queued > 0 && connected >= this.settings.maxConnections;
  }
}

/** How connections with the same TLS settings and certificates are made, by undici and by axios's own transport. */
class Connecting {
  readonly connect: buildConnector.connector;
  readonly pooled: buildConnector.connector;
  readonly certificates: Certificates | undefined;
  readonly #tls: TlsConnectOptions | undefined;
  #agent: HttpsAgent | undefined;

  constructor(tls: TlsSettings | undefined, certificates: Certificates | undefined) {
    this.certificates = certificates;
    this.#tls = tls && toTlsOptions(tls, certificates);
    this.connect = connectorWith(this.#tls);
    this.pooled = skippingContinue(this.connect);
  }

  /** For axios's own transport; undefined: Node's own agent will do. */
  get agent(): HttpsAgent | undefined {
    return this.#tls && (this.#agent ??= new HttpsAgent({ keepAlive: true, ...this.#tls }));
  }

  /** There are newer certificates: connections end with their requests. */
  retire(): void {
    if (!this.#agent) return;
    // Nothing is kept for another request.
    this.#agent.maxFreeSockets = 0;
    for (const sockets of Object.values(this.#agent.freeSockets))
      for (const socket of sockets ?? []) socket.destroy();
  }

  get isInUse(): boolean {
    return Object.keys(this.#agent?.sockets ?? {}).length > 0;
  }

  close(): void {
    this.#agent?.destroy();
  }
}

/** The connection pools of all service clients of an app. */
export class HttpConnections {
  readonly #mesh: Pick<ServiceMesh, 'tlsFor'> | undefined;
  readonly #byOrigin = new Map<string, InstanceConnections[]>();
  /** Instances are immutable, and many calls go to each. */
  readonly #byInstance = new WeakMap<ServiceInstance, InstanceConnections>();
  readonly #connecting = new Map<TlsSettings | undefined, Connecting>();
  /** Their requests through axios's own transport have not ended. */
  #retired: readonly Connecting[] = [];
  readonly #closing = new Set<InstanceConnections>();
  readonly #external = new Agent({
    connections: EXTERNAL_CONNECTIONS,
    connect: skippingContinue(connectorWith()),
  });

  readonly #clock: Pick<Clock, 'now'>;

  /** @param mesh that some instances may be part of */
  constructor(mesh?: Pick<ServiceMesh, 'tlsFor'>, clock: Pick<Clock, 'now'> = systemClock) {
    this.#mesh = mesh;
    this.#clock = clock;
  }

  /** @param given the settings of its service */
  to(instance: ServiceInstance, given: ConnectionSettings): InstanceConnections {
    const settings = this.#settingsFor(instance, given);
    const known = this.#byInstance.get(instance);
    if (known && !known.isReleased && isSame(known.settings, settings) && isCurrent(known))
      return this.#duringRenewal(known);
    const connections = this.#toOrigin(originOf(instance), settings);
    this.#byInstance.set(instance, connections);
    return this.#duringRenewal(connections);
  }

  /** One request at a time waits for a handshake, where others can be sent without one. */
  #duringRenewal(connections: InstanceConnections): InstanceConnections {
    const { before } = connections;
    if (!before) return connections;
    if (this.#clock.now() >= before.until) this.#releaseBefore(connections);
    else if (connections.areBeingMade && before.connections.areFree) return before.connections;
    return connections;
  }

  #keepBefore(connections: InstanceConnections, found: InstanceConnections): void {
    const { before } = found;
    // Of two renewals in a row, the first may have made none yet.
    if (before && !found.areFree) {
      connections.before = before;
      found.before = undefined;
      this.#release(found);
      return;
    }
    this.#releaseBefore(found);
    connections.before = { connections: found, until: this.#clock.now() + RENEWAL_MS };
  }

  #releaseBefore(connections: InstanceConnections): void {
    const { before } = connections;
    connections.before = undefined;
    if (before) this.#release(before.connections);
  }

  /** A connection outside of the pools. */
  connect(instance: ServiceInstance, settings: ConnectionSettings, done: buildConnector.Callback): void {
    const { address, port, secure } = instance;
    const protocol = secure ? 'https:' : 'http:';
    const { tls } = this.#settingsFor(instance, settings);
    this.#connectingWith(tls).connect({ protocol, hostname: address, port: String(port) }, done);
  }

  /** For axios's own transport, over TLS; undefined: Node's own agent will do. */
  agentFor(instance: ServiceInstance, settings: ConnectionSettings): HttpsAgent | undefined {
    return this.#connectingWith(this.#settingsFor(instance, settings).tls).agent;
  }

  /** For the targets of redirects. */
  get toExternal(): Dispatcher {
    return this.#external;
  }

  /** The instance takes no calls for a while: its connections are closed when their requests are answered. */
  release(instance: ServiceInstance): void {
    const origin = originOf(instance);
    for (const connections of this.#byOrigin.get(origin) ?? []) this.#release(connections);
    this.#byOrigin.delete(origin);
  }

  #release(connections: InstanceConnections): void {
    this.#releaseBefore(connections);
    connections.isReleased = true;
    this.#closing.add(connections);
    // It rejects when they were destroyed in the meantime.
    connections
      .close()
      .catch(() => undefined)
      .finally(() => this.#closing.delete(connections));
  }

  async close(): Promise<void> {
    for (const connections of [...this.#byOrigin.values()].flat()) this.#releaseBefore(connections);
    const all = [...[...this.#byOrigin.values()].flat(), ...this.#closing];
    this.#byOrigin.clear();
    for (const connecting of [...this.#connecting.values(), ...this.#retired]) connecting.close();
    await Promise.all([this.#external.destroy(), ...all.map((connections) => connections.destroy())]);
  }

  /** Services at one origin share its connections, unless their settings are different. */
  #toOrigin(origin: string, settings: ConnectionSettings): InstanceConnections {
    let all = this.#byOrigin.get(origin);
    if (!all) this.#byOrigin.set(origin, (all = []));
    const at = all.findIndex((each) => isSame(each.settings, settings));
    const found = all[at];
    if (found && isCurrent(found)) return found;
    const { tls } = settings;
    const connections = new InstanceConnections(
      origin,
      settings,
      this.#connectingWith(tls),
      (options, done) => this.#connectingWith(tls).pooled(options, done),
    );
    if (found) {
      all[at] = connections;
      this.#keepBefore(connections, found);
    } else all.push(connections);
    return connections;
  }

  #settingsFor(instance: ServiceInstance, settings: ConnectionSettings): ConnectionSettings {
    const tls = this.#mesh?.tlsFor(instance);
    return tls ? { maxConnections: settings.maxConnections, tls } : settings;
  }

  #connectingWith(tls: TlsSettings | undefined): Connecting {
    const certificates = tls?.certificates?.current();
    const before = this.#connecting.get(tls);
    if (before) {
      if (before.certificates === certificates) return before;
      before.retire();
      this.#retired = [...this.#retired.filter(({ isInUse }) => isInUse), before];
    }
    const connecting = new Connecting(tls, certificates);
    this.#connecting.set(tls, connecting);
    return connecting;
  }
}

/** False: there are newer certificates. */
function isCurrent({ settings: { tls }, connecting }: InstanceConnections): boolean {
  return tls?.certificates?.current() === connecting.certificates;
}

/** A service that was forgotten and is called again has other objects. */
function isSame(a: ConnectionSettings, b: ConnectionSettings): boolean {
  return a === b || (a.maxConnections === b.maxConnections && a.tls === b.tls);
}
