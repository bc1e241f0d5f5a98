import type { Channel, ChannelCredentials, ChannelOptions } from '@grpc/grpc-js';
import type { DiscoveryService } from '@rookery/discovery';
import { assertPicksOptions } from '@rookery/discovery/adapter';
import { BINDING } from './channel-binding.js';
import { installed } from './experimental-api.js';
import type { GrpcCallOptions } from './grpc-call-options.js';
import { discoveryCredentials } from './discovery-credentials.js';
import { SCHEME } from './service-resolver.js';

/** How a channel calls; a channel makes one attempt at a time, within the deadline that its caller gives the call. */
export interface DiscoveryChannelOptions extends Omit<GrpcCallOptions, 'timeout'> {
  /** Default: TLS to instances that are registered as `secure`, by `clients.tls` or their mesh, and none to others. */
  credentials?: ChannelCredentials;
  /** Options of channels, as of the package grpc-js. Default: none. */
  channelOptions?: ChannelOptions;
}

/** A proxy of the environment (`http_proxy`) would be called in place of the service, whose name it would have to know. */
export const WITHOUT_PROXY = { 'grpc.enable_http_proxy': 0 } as const;

/** The address of a service for a channel. */
export function targetOf(service: string): string {
  return `${SCHEME}:${encodeURIComponent(service)}`;
}

/**
 * A channel to a service, for clients that are made without Nest: balanced, retried and judged as all calls of this app. Close it when it is not needed any
 * more.
 *
 * @example
 * ```ts
 * const channel = discoveryChannel(discovery, 'inventory');
 * const client = new BooksClient('inventory', credentials.createInsecure(), { channelOverride: channel });
 * ```
 * @throws DiscoveryError `RK_CONFIG_INVALID` for a wrong option
 */
export function discoveryChannel(
  discovery: DiscoveryService,
  service: string,
  { credentials, channelOptions, ...options }: DiscoveryChannelOptions = {},
): Channel {
  assertPicksOptions(`discoveryChannel('${service}')`, options);
  return new installed.Channel(targetOf(service), credentials ?? discoveryCredentials, {
    ...WITHOUT_PROXY,
    ...channelOptions,
    [BINDING]: { discovery, options },
  });
}
