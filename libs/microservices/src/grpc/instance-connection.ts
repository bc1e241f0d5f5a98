import type { ChannelOptions, connectivityState } from '@grpc/grpc-js';
import type { Certificates } from '@rookery/discovery';
import type { TlsSettings } from '@rookery/discovery/adapter';
import type {
  ChannelControlHelper,
  Endpoint,
  ExperimentalApi,
  GrpcJs,
  LeafLoadBalancer,
  Picker,
} from './experimental-api.js';
import { securedBy } from './discovery-credentials.js';

/** Of a connection that fails: the defaults of @grpc/grpc-js go up to two minutes, in which an instance that is back would get no call. */
const OPTIONS: ChannelOptions = {
  'grpc.initial_reconnect_backoff_ms': 250,
  'grpc.max_reconnect_backoff_ms': 5_000,
};
/** A peer that takes the connection and says nothing would keep calls waiting that belong to it by their key. */
const CONNECT_MS = 3_000;
/**
 * Finds a connection that is dead without a word while calls wait on it. Only to servers that Rookery registered, which are Node's: others, such as those of
 * Go, end the connection of a client that pings more often than every five minutes.
 */
const KEEPALIVE: ChannelOptions = {
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 3_000,
};

/** The connection to one address; there is none before it is asked for. */
export class InstanceConnection {
  readonly #grpc: Pick<GrpcJs, 'connectivityState'>;
  readonly #leaf: LeafLoadBalancer;
  readonly #onChange: () => void;
  #state: connectivityState;
  #error: string | undefined;
  readonly #tls: TlsSettings | undefined;
  readonly #certificates: Certificates | undefined;
  #isAsked = false;
  #isOver = false;
  #connecting: NodeJS.Timeout | undefined;

  constructor(
    endpoint: Endpoint,
    helper: ChannelControlHelper,
    options: ChannelOptions,
    tools: {
      readonly grpc: Pick<GrpcJs, 'connectivityState'>;
      readonly experimental: ExperimentalApi;
      readonly onChange: () => void;
      readonly takesPings: boolean;
      /** Undefined: as the credentials of the channel say. */
      readonly tls: TlsSettings | undefined;
    },
  ) {
    const { grpc, experimental, onChange, takesPings, tls } = tools;
    this.#tls = tls;
    this.#certificates = tls?.certificates?.current();
    this.#grpc = grpc;
    this.#onChange = onChange;
    this.#state = grpc.connectivityState.IDLE;
    const own = experimental.createChildChannelControlHelper(helper, {
      updateState: (state: connectivityState, _picker: Picker, error: string | null) =>
        this.#changed(state, error),
      // Lists come by themselves.
      requestReresolution: () => undefined,
    });
    this.#leaf = new experimental.LeafLoadBalancer(
      endpoint,
      own,
      {
        ...{ ...OPTIONS, ...(takesPings ? KEEPALIVE : {}), ...options },
        // Channels share a connection where all options are the same, so that one with earlier certificates is not used.
        ...(tls ? securedBy(tls, this.#certificates, hostOf(endpoint)) : {}),
      },
      '',
    );
  }

  get state(): connectivityState {
    return this.#state;
  }

  /** Why it has failed. */
  get error(): string {
    return this.#error ?? 'connection failed';
  }

  get picker(): Picker {
    return this.#leaf.getPicker();
  }

  /** False: the instance that is there now is another. */
  isSecuredBy(tls: TlsSettings | undefined): boolean {
    return tls === this.#tls;
  }

  /** There are newer certificates. */
  get isOutdated(): boolean {
    return this.#tls?.certificates?.current() !== this.#certificates;
  }

  connect(): void {
    if (!this.#isAsked) {
      this.#isAsked = true;
      this.#leaf.startConnecting();
    } else if (this.#state === this.#grpc.connectivityState.IDLE) this.#leaf.exitIdle();
  }

  /** Calls under way end as they would; there are no new ones. */
  close(): void {
    this.#isOver = true;
    clearTimeout(this.#connecting);
    this.#leaf.destroy();
  }

  #changed(state: connectivityState, error: string | null): void {
    if (this.#isOver) return;
    const { CONNECTING, IDLE, READY, TRANSIENT_FAILURE } = this.#grpc.connectivityState;
    const wasReady = this.#state === READY;
    this.#state = state;
    if (error !== null) this.#error = error;
    clearTimeout(this.#connecting);
    // It goes on trying: should it succeed after all, it is used.
    if (state === CONNECTING)
      this.#connecting = setTimeout(
        () => this.#changed(TRANSIENT_FAILURE, `no connection within ${CONNECT_MS} ms`),
        CONNECT_MS,
      ).unref();
    // A server that restarts is connected to again before a call needs it.
    if (wasReady && state === IDLE) queueMicrotask(() => !this.#isOver && this.connect());
    this.#onChange();
  }
}

function hostOf({ addresses: [address] }: Endpoint): string {
  return address && 'host' in address ? address.host : '';
}
