import type { DiscoveryService } from '@rookery/discovery';
import type { PicksOptions } from '@rookery/discovery/adapter';

/** Which app a channel belongs to, and how it calls. */
export interface ChannelBinding {
  readonly discovery: DiscoveryService;
  readonly options: PicksOptions;
}

/** The option of a channel that has its binding. */
export const BINDING = 'rookery.binding';

/** Shared by the copies of this package in an app that loads both. */
const APPS = Symbol.for('rookery:grpc-apps');

/** The apps of this process that have imported the module, the latest one last: gRPC has one resolver for all. */
function apps(): DiscoveryService[] {
  const shared = globalThis as { [APPS]?: DiscoveryService[] };
  return (shared[APPS] ??= []);
}

export function connectApp(discovery: DiscoveryService): void {
  apps().push(discovery);
}

export function disconnectApp(discovery: DiscoveryService): void {
  const all = apps();
  const at = all.indexOf(discovery);
  if (at >= 0) all.splice(at, 1);
}

/** That of the channel, or else the latest app. */
export function bindingOf(channelOptions: Readonly<Record<string, unknown>>): ChannelBinding | undefined {
  const own = channelOptions[BINDING] as ChannelBinding | undefined;
  if (own) return own;
  const discovery = apps().at(-1);
  return discovery && { discovery, options: {} };
}
