import type { DiscoveryService } from '@rookery/discovery';
import { tlsTo } from '@rookery/discovery/adapter';
import { TcpConnections } from './tcp-connections.js';

interface SharedConnections {
  readonly connections: TcpConnections;
  clients: number;
}

/** What a client that is neither closed nor used any more has left here ends with its app; its connections, when they are idle. */
const byApp = new WeakMap<DiscoveryService, SharedConnections>();

/** The connections of an app's clients. Each client that joins leaves once. */
export function joinConnections(discovery: DiscoveryService): TcpConnections {
  let shared = byApp.get(discovery);
  if (!shared) {
    const connections = new TcpConnections({}, (instance) => tlsTo(discovery, instance));
    byApp.set(discovery, (shared = { connections, clients: 0 }));
  }
  shared.clients++;
  return shared.connections;
}

/** They end with the last client that leaves. */
export function leaveConnections(discovery: DiscoveryService): void {
  const shared = byApp.get(discovery);
  if (shared && --shared.clients === 0) closeConnections(discovery);
}

/** Also where clients are left: the app is closed. */
export function closeConnections(discovery: DiscoveryService): void {
  byApp.get(discovery)?.connections.close();
  byApp.delete(discovery);
}
