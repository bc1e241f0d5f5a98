// The only file that touches the experimental interface of @grpc/grpc-js, which promises nothing from one minor version to the next
// (grpc-node#719). Seen to work: 1.13.4, whose resolvers and lists are told otherwise, and 1.14.7.
import * as grpcJs from '@grpc/grpc-js';
import type {
  CallCredentials,
  ChannelCredentials,
  ChannelOptions,
  experimental,
  ServerCredentials,
  StatusObject,
} from '@grpc/grpc-js';
import { DiscoveryError } from '@rookery/discovery';
import type { Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import type { ServiceConfigJson } from './service-config.js';

export type ChannelControlHelper = experimental.ChannelControlHelper;
export type Endpoint = experimental.Endpoint;
export type LoadBalancer = experimental.LoadBalancer;
export type LeafLoadBalancer = experimental.LeafLoadBalancer;
export type Picker = experimental.Picker;
export type PickArgs = experimental.PickArgs;
export type PickResult = experimental.PickResult;
export type Resolver = experimental.Resolver;
export type ResolverListener = experimental.ResolverListener;
export type TypedLoadBalancingConfig = experimental.TypedLoadBalancingConfig;
export type GrpcUri = experimental.GrpcUri;

/** As it is since 1.14: the types of 1.13 have no such name. */
export type StatusOr<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: StatusObject };

/** What is used of a copy of @grpc/grpc-js; another copy has its own resolvers. */
export type GrpcJs = typeof grpcJs;
export type ExperimentalApi = Pick<
  typeof grpcJs.experimental,
  | 'registerResolver'
  | 'registerLoadBalancerType'
  | 'LeafLoadBalancer'
  | 'PickResultType'
  | 'UnavailablePicker'
  | 'createChildChannelControlHelper'
>;

const USED: readonly (keyof ExperimentalApi)[] = [
  'registerResolver',
  'registerLoadBalancerType',
  'LeafLoadBalancer',
  'PickResultType',
  'UnavailablePicker',
  'createChildChannelControlHelper',
];

/** What channels ask their credentials, and servers theirs. */
const USED_OF_CREDENTIALS = ['_isSecure', '_equals', '_createSecureConnector'];
const USED_OF_SERVER_CREDENTIALS = [
  ...['_addWatcher', '_removeWatcher', 'getWatcherCount'],
  ...['_getSecureContextOptions', 'updateSecureContextOptions'],
];

/** The copy that the app has. */
export const installed: GrpcJs = grpcJs;

/** @throws DiscoveryError `RK_CONFIG_INVALID` when this version has something else */
export function experimentalApi({
  experimental: found,
  credentials,
}: Pick<GrpcJs, 'experimental' | 'credentials'>): ExperimentalApi {
  assertHas('experimental', found, USED);
  assertHas('ChannelCredentials', credentials.createInsecure(), USED_OF_CREDENTIALS);
  return found;
}

function assertHas(name: string, found: object | undefined, used: readonly string[]): void {
  const missing = used.filter((each) => found === undefined || !(each in found));
  if (missing.length === 0) return;
  throw new DiscoveryError('RK_CONFIG_INVALID', `@grpc/grpc-js has no ${name}.${missing.join(', ')}`, {
    hint: 'Its versions from 1.13.4 to 1.14 have what service names need: npm install @grpc/grpc-js@1.14',
  });
}

/** What becomes of a connection before gRPC speaks on it. */
export type SecureConnection = (
  socket: Socket,
  options: ChannelOptions,
) => Promise<{ readonly socket: Socket; readonly secure: boolean }>;

/** Credentials of channels whose connections are secured one by one. */
export function credentialsThat(secure: SecureConnection): ChannelCredentials {
  class ConnectionCredentials extends grpcJs.ChannelCredentials {
    _isSecure(): boolean {
      return false;
    }

    _equals(other: ChannelCredentials): boolean {
      return other instanceof ConnectionCredentials;
    }

    _createSecureConnector(
      _: GrpcUri,
      options: ChannelOptions,
      given?: CallCredentials,
    ): experimental.SecureConnector {
      const callCredentials = given ?? grpcJs.CallCredentials.createEmpty();
      return {
        connect: (socket) => secure(socket, options),
        waitForReady: () => Promise.resolve(),
        getCallCredentials: () => callCredentials,
        destroy: () => undefined,
      };
    }
  }
  return new ConnectionCredentials();
}

/** The certificate of a server, and the authorities of its callers: asked for each new connection. */
export interface ChangingContext {
  current(): SecureContextOptions;
  /** @returns stops it */
  onChange(listener: () => void): () => void;
}

type ContextWatcher = (context: SecureContextOptions | null) => void;

/**
 * Credentials of a server whose certificates change, and whose callers have to present one.
 *
 * @throws DiscoveryError `RK_CONFIG_INVALID` when this version has something else
 */
export function serverCredentialsOf(context: ChangingContext): ServerCredentials {
  assertHas('ServerCredentials', grpcJs.ServerCredentials.prototype, USED_OF_SERVER_CREDENTIALS);
  class ChangingCredentials extends grpcJs.ServerCredentials {
    #stop: () => void = () => undefined;

    constructor() {
      super({ requestCert: true, rejectUnauthorized: true }, context.current());
    }

    override _addWatcher(watcher: ContextWatcher): void {
      if (this.getWatcherCount() === 0)
        this.#stop = context.onChange(() => this.updateSecureContextOptions(context.current()));
      super._addWatcher(watcher);
    }

    override _removeWatcher(watcher: ContextWatcher): void {
      super._removeWatcher(watcher);
      if (this.getWatcherCount() === 0) this.#stop();
    }

    override _getSecureContextOptions(): SecureContextOptions {
      return context.current();
    }

    _equals(other: ServerCredentials): boolean {
      return this === other;
    }
  }
  return new ChangingCredentials();
}

/** Up to 1.13. */
interface OldListener {
  onSuccessfulResolution(
    endpoints: Endpoint[],
    config: object,
    configError: null,
    selector: null,
    attributes: object,
  ): void;
  onError(error: StatusObject): void;
}

/** Hands a list to the owner of a resolver. */
export function tellEndpoints(
  listener: ResolverListener,
  endpoints: Endpoint[],
  attributes: Readonly<Record<string, unknown>>,
  config: ServiceConfigJson,
): void {
  if (typeof listener === 'function')
    listener({ ok: true, value: endpoints }, attributes, configured(config), '');
  else (listener as OldListener).onSuccessfulResolution(endpoints, config, null, null, attributes);
}

/** Tells it that there is no list. */
export function tellError(listener: ResolverListener, error: StatusObject, config: ServiceConfigJson): void {
  // Without a config the channel would begin with a policy of its own, and keep it until ours has a connection, which only calls ask for.
  if (typeof listener === 'function') listener({ ok: false, error }, {}, configured(config), '');
  else (listener as OldListener).onError(error);
}

function configured(config: ServiceConfigJson): Parameters<ResolverListener>[2] {
  return { ok: true, value: config } as unknown as Parameters<ResolverListener>[2];
}

/** The list that a load-balancing policy is given; up to 1.13 it is never an error. */
export function endpointsOf(given: StatusOr<Endpoint[]>): StatusOr<Endpoint[]> {
  return Array.isArray(given) ? { ok: true, value: given as Endpoint[] } : given;
}
