import { isDeepStrictEqual } from 'node:util';
import type { Server } from 'node:http';
import type { PeerCertificate } from 'node:tls';
import { Logger } from '@nestjs/common';
import { DiscoveryError, type ServiceInstance } from '@rookery/discovery';
import {
  isHealthRequest,
  type Clock,
  errorMessage,
  type ServiceMesh,
  SharedWatches,
  systemClock,
  type TlsSettings,
} from '@rookery/discovery/adapter';
import type { Observable, Subscription } from 'rxjs';
import type { ConsulClient } from '../client/consul-client.js';
import { CheckServer } from './check-server.js';
import { denialOf, describeDenial, type Denial } from './connect-access.js';
import { ConnectIdentity } from './connect-identity.js';
import type { ConnectSettings } from './connect-options.js';
import { peerWith, type ConnectPeer } from './connect-peer.js';
import { actionOf, type IntentionRules } from './intention-decision.js';
import { ServerGuard } from './server-guard.js';
import { spiffeIdOf, type SpiffeId } from './spiffe-id.js';
import { watchIntentions, watchLeaf, watchRoots } from './watch-connect.js';

export interface ConsulConnectOptions extends ConnectSettings {
  readonly healthPath: string;
}

/** A caller that is denied again is not written of again for so long. */
const REPEAT_MS = 60_000;
/** Callers that are remembered for that. */
const MAX_CALLERS = 1_000;

/**
 * This app as a part of Consul Connect: its certificate, the authorities that it trusts, and which services may call it. HashiCorp calls these endpoints deprecated since 2021, without a
 * replacement (consul#10339).
 */
export class ConsulConnect implements ServiceMesh {
  readonly identity: ConnectIdentity;
  readonly #client: ConsulClient;
  readonly #options: ConsulConnectOptions;
  readonly #clock: Clock;
  readonly #today: () => number;
  readonly #logger = new Logger(ConsulConnect.name);
  readonly #watches: SharedWatches;
  readonly #subscriptions: Subscription[] = [];
  readonly #byService = new Map<string, TlsSettings>();
  /** When a denial was last written of, by caller and reason. */
  readonly #told = new Map<string, number>();
  #onReady: () => void = () => undefined;
  /** Resolves when it has a certificate, and knows which services may call it. */
  readonly ready = new Promise<void>((resolve) => {
    this.#onReady = resolve;
  });
  #rules: IntentionRules | undefined;
  #watchedDomain: string | undefined;
  #intentions: Subscription | undefined;
  #app: Server | undefined;
  #guard: ServerGuard | undefined;
  #checks: CheckServer | undefined;
  #isClosed = false;

  /** @param today the time of this host, in milliseconds since the epoch, which certificates are valid by */
  constructor(
    client: ConsulClient,
    options: ConsulConnectOptions,
    clock: Clock = systemClock,
    today: () => number = Date.now,
  ) {
    this.#client = client;
    this.#options = options;
    this.#clock = clock;
    this.#today = today;
    this.identity = new ConnectIdentity(today);
    this.#watches = new SharedWatches({
      clock,
      random: Math.random,
      logger: ConsulConnect.name,
      limit: client.blockingQueryLimit,
    });
  }

  /** Begins to watch. */
  start(): void {
    const client = this.#client;
    const { service } = this.#options;
    this.#follow(
      this.#watches.watch('roots', 'the authorities of Consul Connect', (signal, waitMs) =>
        watchRoots(client, { signal, waitMs }),
      ),
      (roots) => {
        this.identity.setRoots(roots);
        this.#watchIntentions();
      },
    );
    this.#follow(
      this.#watches.watch('leaf', `the certificate of "${service}"`, (signal, waitMs) =>
        watchLeaf(client, service, { signal, waitMs }),
      ),
      (leaf) => this.identity.setLeaf(leaf),
    );
  }

  /** Gives the app's server its certificate, and guards it. @throws DiscoveryError `RK_CONFIG_INVALID` when it does not speak TLS */
  guard(server: Server): void {
    const { healthPath, checks } = this.#options;
    this.#app = server;
    this.#guard = ServerGuard.on(server, {
      identity: this.identity,
      denialOf: (peer) => this.denialOf(peer),
      hasOpenRequests: checks === 'path',
      isOpen: (request) =>
        this.#checks?.has(request) === true || (checks === 'path' && isHealthRequest(request, healthPath)),
      onDenied: (denial) => this.#tell(denial),
    });
    if (this.#guard) return;
    throw new DiscoveryError(
      'RK_CONFIG_INVALID',
      'connect.native: the HTTP server of this app does not speak TLS, or has a certificate of its own',
      {
        hint: 'NestFactory.create(AppModule, { httpsOptions: connectHttpsOptions() }), or new FastifyAdapter({ https: connectHttpsOptions() })',
      },
    );
  }

  /** Why the other end of a connection may not call this app now; undefined: it may. */
  denialOf(peer: ConnectPeer): Denial | undefined {
    const { trustDomain } = this.identity;
    return denialOf(peer, { trustDomain, rules: this.#rules, now: this.#today() });
  }

  denied(certificate: PeerCertificate | undefined): string | undefined {
    const denial = this.denialOf(peerWith(certificate));
    if (denial) this.#tell(denial);
    return denial && describeDenial(denial);
  }

  get isReady(): boolean {
    return this.identity.isValid && this.#rules !== undefined;
  }

  tlsFor({ inMesh, service, datacenter }: ServiceInstance): TlsSettings | undefined {
    if (inMesh !== true) return undefined;
    const key = `${service} ${datacenter}`;
    let settings = this.#byService.get(key);
    if (!settings) {
      const mismatch = (peer: PeerCertificate): Error | undefined =>
        this.#mismatch(peer, service, datacenter);
      settings = { certificates: this.identity, serverName: undefined, verify: true, mismatch };
      this.#byService.set(key, settings);
    }
    return settings;
  }

  async checkPort(host: string | undefined): Promise<number | undefined> {
    const { checks, checkPort, healthPath } = this.#options;
    if (checks === 'path' || !this.#app) return undefined;
    const isCheck = (request: Parameters<typeof isHealthRequest>[0]): boolean =>
      isHealthRequest(request, healthPath);
    this.#checks ??= await CheckServer.listen(this.#app, { host, port: checkPort, isCheck });
    if (this.#isClosed) this.#checks.close();
    return this.#checks.port;
  }

  /** For `GET /discovery`. */
  explain(): object {
    const { identity } = this;
    return {
      uri: identity.uri,
      trustDomain: identity.trustDomain,
      validUntil: identity.validUntil === undefined ? undefined : new Date(identity.validUntil).toISOString(),
      intentions: this.#rules?.intentions.map((each) => ({
        from: each.SourceName,
        to: each.DestinationName,
        action: actionOf(each),
      })),
      allowsByDefault: this.#rules?.allowsByDefault,
    };
  }

  close(): void {
    this.#isClosed = true;
    this.#watches.close();
    for (const subscription of this.#subscriptions.splice(0)) subscription.unsubscribe();
    this.#guard?.release();
    this.#checks?.close();
  }

  #watchIntentions(): void {
    const { trustDomain } = this.identity;
    if (trustDomain === undefined || this.#watchedDomain === trustDomain) return;
    this.#watchedDomain = trustDomain;
    // Those of another cluster say nothing about its services.
    this.#rules = undefined;
    this.#intentions?.unsubscribe();
    const client = this.#client;
    const { service } = this.#options;
    this.#intentions = this.#follow(
      this.#watches.watch(`intentions ${trustDomain}`, `the intentions for "${service}"`, (signal, waitMs) =>
        watchIntentions(client, { service, trustDomain }, { signal, waitMs }),
      ),
      (rules) => {
        this.#rules = rules;
      },
    );
  }

  #follow<T>(updates: Observable<T>, use: (update: T) => void): Subscription {
    const subscription = updates.subscribe((update) => {
      try {
        use(update);
      } catch (error) {
        this.#logger.error(`${errorMessage(error)}; what was there before stays in use`);
      }
      if (this.isReady) this.#onReady();
    });
    this.#subscriptions.push(subscription);
    return subscription;
  }

  #mismatch(peer: PeerCertificate, service: string, datacenter: string): Error | undefined {
    const id = spiffeIdOf(peer.subjectaltname);
    const { trustDomain } = this.identity;
    // Of the lists that it reads. Consul without namespaces and partitions calls the only one `default`.
    const [, namespace, partition] = this.#client.scope;
    const expected = {
      ...{ trustDomain, service, datacenter },
      ...{ namespace: namespace ?? 'default', partition: partition ?? 'default' },
    };
    if (id && isDeepStrictEqual(id, expected)) return undefined;
    const found = id ? describeIdentity(id) : 'no service';
    const wanted = describeIdentity(expected);
    return Object.assign(new Error(`the certificate is that of ${found}, not of ${wanted}`), {
      // As Node's own begin that are about a certificate.
      code: 'CERT_IDENTITY_MISMATCH',
    });
  }

  /** Once a minute for each caller. */
  #tell({ caller, reason }: Denial): void {
    const key = `${caller ?? ''} ${reason}`;
    const now = this.#clock.now();
    if (now - (this.#told.get(key) ?? -Infinity) < REPEAT_MS) return;
    if (this.#told.size >= MAX_CALLERS) this.#told.clear();
    this.#told.set(key, now);
    const name = caller === undefined ? 'a caller' : `"${caller}"`;
    this.#logger.warn(`${name} was denied access to "${this.#options.service}": ${reason}`);
  }
}

function describeIdentity({
  service,
  datacenter,
  trustDomain,
  ...scope
}: Omit<SpiffeId, 'trustDomain'> & { readonly trustDomain: string | undefined }): string {
  const within = (['namespace', 'partition'] as const)
    .filter((each) => scope[each] !== 'default')
    .map((each) => `${each} "${scope[each]}"`);
  return `"${service}" in ${[`"${datacenter}"`, ...within].join(', ')} of ${String(trustDomain)}`;
}
