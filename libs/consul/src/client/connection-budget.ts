/** Requests of one purpose share connections, so that two hundred watches never keep a heartbeat waiting. */
export type Lane = 'list' | 'watch' | 'own-watch' | 'poll' | 'heartbeat' | 'plain';

export type ConnectionBudget = Readonly<Record<Lane, number>>;

/** Of the 200 that an agent allows for each client address, those of all processes of a host together. */
export const DEFAULT_CONNECTIONS = 92;
export const FEWEST_CONNECTIONS = 10;

/**
 * Shares a process's connections out: what keeps the app registered first, then what is asked once; watches take the rest,
 * three quarters of it for lists of services. What is over its share waits for its turn, or (lists) is polled.
 */
export function shareConnections(total: number = DEFAULT_CONNECTIONS): ConnectionBudget {
  const heartbeat = 2;
  const poll = 2;
  // The app's own registration, two for each service: hundreds of watched services must not keep it waiting its turn.
  const own = Math.min(8, Math.max(2, Math.round(total / 10)));
  const plain = Math.min(16, Math.max(2, Math.ceil(total / 6)));
  const rest = total - heartbeat - poll - own - plain;
  const watch = Math.max(1, rest >> 2);
  return { heartbeat, poll, 'own-watch': own, plain, watch, list: rest - watch };
}
