import type { CallOptions } from './calling/options/call-options.js';
import type { Attempt } from './calling/running-attempt.js';
import type { DiscoveryService } from './discovery.service.js';
import { discoveryTools } from './discovery-tools.js';

/**
 * A call as `DiscoveryService.call` makes it, for a message that has no response: that it was sent says nothing about the instance, while that it could
 * not be sent counts against it.
 *
 * @throws CallError, DiscoveryError as `DiscoveryService.call`
 */
export async function callOneWay(
  discovery: DiscoveryService,
  service: string,
  attempt: Attempt<void>,
  options: CallOptions = {},
): Promise<void> {
  const { caller } = discoveryTools(discovery, 'callOneWay');
  await caller.call(service, attempt, options, { isOneWay: true });
}
