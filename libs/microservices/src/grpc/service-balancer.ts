import type { ChannelOptions, connectivityState } from '@grpc/grpc-js';
import type { TargetPicks, TlsSettings } from '@rookery/discovery/adapter';
import { BINDING, type ChannelBinding } from './channel-binding.js';
import {
  endpointsOf,
  type ChannelControlHelper,
  type Endpoint,
  type ExperimentalApi,
  type GrpcJs,
  type LoadBalancer,
  type StatusOr,
  type TypedLoadBalancingConfig,
} from './experimental-api.js';
import { InstanceConnection } from './instance-connection.js';
import { POLICY } from './service-config.js';
import { ServicePicker } from './service-picker.js';
import { NOTE, PICKS, REGISTERED, SECURED } from './service-resolver.js';

/** What the resolver hands on, among the options of the channel. */
type Attributes = ChannelOptions & {
  readonly [PICKS]?: TargetPicks;
  readonly [NOTE]?: string;
  readonly [REGISTERED]?: ReadonlySet<string>;
  readonly [SECURED]?: ReadonlyMap<string, TlsSettings>;
  readonly [BINDING]?: ChannelBinding;
};

/** What new connections are made with. */
interface ConnectionSource {
  readonly endpoints: ReadonlyMap<string, Endpoint>;
  readonly options: ChannelOptions;
  readonly registered: ReadonlySet<string>;
  readonly secured: ReadonlyMap<string, TlsSettings>;
}

/** A peer may learn later of a new authority: after this time, calls see why a connection with new certificates cannot be made. */
const RENEWAL_MS = 60_000;

/** A connection with certificates from before. */
interface Outdated {
  readonly connection: InstanceConnection;
  /** By the monotonic clock, in milliseconds. */
  readonly since: number;
}

/** The policy has no settings: they are those of the service. */
export class ServiceBalancerConfig implements TypedLoadBalancingConfig {
  static createFromJson(): ServiceBalancerConfig {
    return new ServiceBalancerConfig();
  }

  getLoadBalancerName(): string {
    return POLICY;
  }

  toJsonObject(): object {
    return { [POLICY]: {} };
  }
}

/** The load-balancing policy, for a copy of @grpc/grpc-js. */
export function serviceBalancer(
  grpc: GrpcJs,
  experimental: ExperimentalApi,
): new (helper: ChannelControlHelper) => LoadBalancer {
  /** Keeps a connection to each instance that a call was sent to. */
  return class ServiceBalancer implements LoadBalancer {
    readonly #helper: ChannelControlHelper;
    readonly #connections = new Map<string, InstanceConnection>();
    /** With certificates from before: they take calls until the ones in their place are there. */
    readonly #outdated = new Map<string, Outdated>();
    #source: ConnectionSource = {
      ...{ endpoints: new Map(), options: {}, registered: new Set(), secured: new Map() },
    };
    #picker: ServicePicker | undefined;
    #lastError: string | null = null;
    /** Several connections change within one call of this object. */
    #isChanging = false;
    #hasConnection = false;
    #connecting: NodeJS.Immediate | undefined;

    constructor(helper: ChannelControlHelper) {
      this.#helper = helper;
    }

    updateAddressList(
      given: StatusOr<Endpoint[]>,
      config: TypedLoadBalancingConfig,
      options: ChannelOptions,
    ): boolean {
      if (!(config instanceof ServiceBalancerConfig)) return false;
      const endpoints = endpointsOf(given);
      const {
        [PICKS]: picks,
        [NOTE]: note = '',
        [REGISTERED]: registered = new Set<string>(),
        [SECURED]: secured = new Map<string, TlsSettings>(),
        // Clients of one service share a connection where the rest of their options is the same.
        [BINDING]: _,
        ...rest
      } = options as Attributes;
      if (!endpoints.ok || !picks) {
        // What it has is still good.
        if (this.#connections.size > 0) return true;
        const error = endpoints.ok ? { details: 'no resolver of Rookery' } : endpoints.error;
        const unavailable = new experimental.UnavailablePicker(error);
        this.#helper.updateState(grpc.connectivityState.TRANSIENT_FAILURE, unavailable, error.details);
        return true;
      }
      this.#isChanging = true;
      const listed = new Map(endpoints.value.map((endpoint) => [addressOf(endpoint), endpoint]));
      this.#source = { endpoints: listed, options: rest, registered, secured };
      this.#setConnections();
      const isFirst = !this.#picker;
      this.#picker = new ServicePicker({
        ...{ grpc, experimental, picks, note },
        connectionTo: (address) => this.#connectionTo(address),
        onClosed: () => this.#helper.requestReresolution(),
      });
      this.#isChanging = false;
      this.#update();
      if (isFirst) this.#connectSoon();
      return true;
    }

    /** A channel asks for this with each call, and for a client that waits until it is ready. */
    exitIdle(): void {
      if (!this.#hasConnection) this.#connectSoon();
    }

    resetBackoff(): void {
      // Each connection has its own.
    }

    destroy(): void {
      for (const connection of this.#all()) connection.close();
      this.#connections.clear();
      this.#outdated.clear();
      clearImmediate(this.#connecting);
    }

    getTypeName(): string {
      return POLICY;
    }

    #setConnections(): void {
      const { endpoints, secured } = this.#source;
      for (const [address, connection] of this.#connections) {
        if (endpoints.has(address) && connection.isSecuredBy(secured.get(address))) continue;
        this.#connections.delete(address);
        connection.close();
        this.#closeOutdated(address);
      }
      for (const address of endpoints.keys())
        if (!this.#connections.has(address)) this.#connections.set(address, this.#create(address));
    }

    /** By then a call has said itself where to connect to. */
    #connectSoon(): void {
      const { CONNECTING, READY } = grpc.connectivityState;
      this.#connecting ??= setImmediate(() => {
        this.#connecting = undefined;
        if (!this.#all().some(({ state }) => state === READY || state === CONNECTING))
          this.#picker?.connect();
      });
    }

    #all(): InstanceConnection[] {
      const outdated = [...this.#outdated.values()].map(({ connection }) => connection);
      return [...this.#connections.values(), ...outdated];
    }

    #connectionTo(address: string): InstanceConnection | undefined {
      const connection = this.#connections.get(address);
      return (
        connection &&
        this.#usable(address, connection.isOutdated ? this.#renew(address, connection) : connection)
      );
    }

    #renew(address: string, connection: InstanceConnection): InstanceConnection {
      const renewed = this.#create(address);
      this.#connections.set(address, renewed);
      // Of two renewals in a row, the first may not be there yet.
      if (connection.state === grpc.connectivityState.READY) {
        this.#closeOutdated(address);
        this.#outdated.set(address, { connection, since: performance.now() });
      } else connection.close();
      return renewed;
    }

    /** One with earlier certificates ends with the calls under way, once another is there in its place, or cannot be made. */
    #usable(address: string, connection: InstanceConnection): InstanceConnection {
      const outdated = this.#outdated.get(address);
      if (!outdated) return connection;
      const { connection: before, since } = outdated;
      const { READY, TRANSIENT_FAILURE } = grpc.connectivityState;
      const isWanted = connection.state !== READY && performance.now() - since < RENEWAL_MS;
      if (isWanted && before.state === READY) {
        if (connection.state !== TRANSIENT_FAILURE) connection.connect();
        return before;
      }
      this.#closeOutdated(address);
      return connection;
    }

    #closeOutdated(address: string): void {
      this.#outdated.get(address)?.connection.close();
      this.#outdated.delete(address);
    }

    #create(address: string): InstanceConnection {
      const { endpoints, options, registered, secured } = this.#source;
      const endpoint = endpoints.get(address) ?? { addresses: [] };
      return new InstanceConnection(endpoint, this.#helper, options, {
        ...{ grpc, experimental, onChange: () => this.#update() },
        takesPings: registered.has(address),
        tls: secured.get(address),
      });
    }

    /** Queued calls are picked again by it. */
    #update(): void {
      if (this.#isChanging || !this.#picker) return;
      const state = this.#state();
      this.#hasConnection = state === grpc.connectivityState.READY;
      this.#helper.updateState(state, this.#picker, this.#lastError);
    }

    #state(): connectivityState {
      const { CONNECTING, READY, TRANSIENT_FAILURE } = grpc.connectivityState;
      const all = this.#all();
      if (all.some(({ state }) => state === READY)) return READY;
      const hasFailed = all.every(({ state }) => state === TRANSIENT_FAILURE);
      this.#lastError = hasFailed ? (all[0]?.error ?? 'there is no instance') : null;
      return hasFailed ? TRANSIENT_FAILURE : CONNECTING;
    }
  };
}

function addressOf({ addresses }: Endpoint): string {
  const [address] = addresses;
  if (!address || !('port' in address)) return '';
  const { host, port } = address;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
