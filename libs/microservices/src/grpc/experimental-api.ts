// The only file that touches the experimental interface of @grpc/grpc-js, which promises nothing from one minor version to the next
// (grpc-node#719). Seen to work: 1.13.4, whose resolvers and lists are told otherwise, and 1.14.7.
import * as grpcJs from '@grpc/grpc-js';
import type { experimental, StatusObject } from '@grpc/grpc-js';
import { DiscoveryError } from '@rookery/discovery';
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
export type SecureConnector = experimental.SecureConnector;

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

/** The copy that the app has. */
export const installed: GrpcJs = grpcJs;

/** @throws DiscoveryError `RK_CONFIG_INVALID` when this version has something else */
export function experimentalApi({ experimental: found }: Pick<GrpcJs, 'experimental'>): ExperimentalApi {
  const missing = USED.filter(
    (name) => (found as Partial<ExperimentalApi> | undefined)?.[name] === undefined,
  );
  if (missing.length === 0) return found;
  throw new DiscoveryError('RK_CONFIG_INVALID', `@grpc/grpc-js has no experimental.${missing.join(', ')}`, {
    hint: 'Its versions from 1.13.4 to 1.14 have what service names need: npm install @grpc/grpc-js@1.14',
  });
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
