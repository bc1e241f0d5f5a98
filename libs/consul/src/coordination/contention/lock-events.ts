import type { DiscoveryEvent } from '@rookery/discovery';

/** What an operator should see without subscribing to anything; undefined for the rest. */
export function describeEvent(event: DiscoveryEvent): string | undefined {
  switch (event.type) {
    case 'lock.lost':
      return `${event.key}: lost after ${event.heldMs} ms: ${event.reason}`;
    case 'lock.overdue':
      return `${event.key}: held for ${event.heldMs} ms, longer than its warnAfter; ${event.waiters} wait for it in this process`;
    case 'lock.doubtful':
      return `${event.key}: cannot renew its session, lost in ${event.remainingMs} ms: ${event.reason}`;
    default:
      return undefined;
  }
}
