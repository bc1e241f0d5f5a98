import type { DiscoveryError } from '@rookery/discovery';
import { ConsulError } from './consul-error.js';

/** A blocking query ended since another agent is in use now: the same query, without its index, may go there at once. */
export class AgentSwitchedError extends ConsulError {
  /** @param error why the agent was left; undefined: the first one is back */
  constructor(urls: string, error?: DiscoveryError) {
    const reason = error?.message ?? 'the first agent is back';
    super(error?.code ?? 'RK_REGISTRY_UNREACHABLE', `another agent of ${urls} is in use now: ${reason}`, {
      cause: error,
    });
  }
}
