/** Requests with the same purpose share connections, so that two hundred watches never delay a heartbeat. */
export type Lane = 'list' | 'watch' | 'own-watch' | 'poll' | 'heartbeat' | 'session' | 'plain';

/** Requests that wait for a change. */
export const BLOCKING: ReadonlySet<Lane> = new Set(['list', 'watch', 'own-watch']);

export type ConnectionBudget = Readonly<Record<Lane, number>>;

/** Two processes of a host fit into the 200 connections that an agent allows for each client address. */
export const DEFAULT_CONNECTIONS = 92;
export const MIN_CONNECTIONS = 12;
/** For the certificate of a Connect-native app, the authorities and the intentions. */
const CONNECT_WATCHES = 3;
export const MIN_CONNECTIONS_OF_NATIVE = MIN_CONNECTIONS + CONNECT_WATCHES;

/**
 * Distributes the connections of a process: first to what keeps the app registered, then to single requests; watches get the
 * rest, three quarters of it for lists of services. Requests beyond their share are queued; lists are polled.
 *
 * @param isNative it is a Connect-native app
 */
export function shareConnections(
  total: number = DEFAULT_CONNECTIONS,
  { isNative = false }: { readonly isNative?: boolean } = {},
): ConnectionBudget {
  const heartbeat = 2;
  const poll = 2;
  // Renewals of sessions: a lock is lost when they wait behind requests that hang.
  const session = 2;
  // For the app's own registration, two for each service, and its own certificate: hundreds of watched services must not delay it.
  const registration = Math.min(8, Math.max(2, Math.round(total / 10)));
  const own = registration + (isNative ? CONNECT_WATCHES : 0);
  const plain = Math.min(16, Math.max(2, Math.ceil(total / 6)));
  const rest = total - heartbeat - poll - session - own - plain;
  const watch = Math.max(1, (rest + 2) >> 2);
  return { heartbeat, poll, session, 'own-watch': own, plain, watch, list: rest - watch };
}

/** One connection for each purpose: successive requests reach the same agent. */
export const ONE_CONNECTION: ConnectionBudget = {
  heartbeat: 1,
  poll: 1,
  session: 1,
  'own-watch': 1,
  plain: 1,
  watch: 1,
  list: 1,
};
