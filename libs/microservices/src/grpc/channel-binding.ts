import type { DiscoveryService } from '@rookery/discovery';
import type { PicksOptions } from '@rookery/discovery/adapter';
import { latestApp } from '../connected-apps.js';

/** Which app a channel belongs to, and how it calls. */
export interface ChannelBinding {
  readonly discovery: DiscoveryService;
  readonly options: PicksOptions;
}

/** The option of a channel that has its binding. */
export const BINDING = 'rookery.binding';

/** That of the channel, or else the latest app. */
export function bindingOf(channelOptions: Readonly<Record<string, unknown>>): ChannelBinding | undefined {
  const own = channelOptions[BINDING] as ChannelBinding | undefined;
  if (own) return own;
  const discovery = latestApp();
  return discovery && { discovery, options: {} };
}
