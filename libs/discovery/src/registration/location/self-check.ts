import type { Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { ServiceRegistry } from '../../registry/service-registry.js';
import { probeTcp } from '../../registry/tcp-probe.js';
import { withScopedSignal } from '../../timing/scoped-signal.js';

/** The server accepts a connection in a later turn of the event loop than the client. */
const ACCEPT_MS = 100;

/**
 * Connects to the advertised address, and explains what is wrong with it; undefined when it leads to this app. Another
 * process that answers there is as wrong as none.
 */
export async function explainUnreachable(
  address: string,
  port: number,
  server: Server | undefined,
): Promise<string | undefined> {
  const accepted: unknown[] = [];
  const onConnection = (socket: unknown): void => void accepted.push(socket);
  server?.on('connection', onConnection);
  const { result, reason } = await probeTcp(address, port);
  const isReachable = result === 'reachable';
  if (server && isReachable && accepted.length === 0)
    await new Promise((resolve) => setTimeout(resolve, ACCEPT_MS));
  server?.removeListener('connection', onConnection);
  const hint = `set service.address, ROOKERY_ADDRESS or service.preferredNetworks; this host has ${ownAddresses().join(', ')}`;
  if (!isReachable) return `cannot connect to ${address}, port ${port} (${reason}): ${hint}`;
  if (server && accepted.length === 0) return `another process answers at ${address}, port ${port}: ${hint}`;
  return undefined;
}

function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((found = []) =>
    found.filter(({ internal }) => !internal).map(({ address }) => address),
  );
}

/** The address with which the registry lists an instance; undefined when it does not list it yet. */
export async function findAdvertised(
  registry: ServiceRegistry,
  service: string,
  id: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  return withScopedSignal(signal, async (watching) => {
    for await (const { instances } of registry.watch(service, {}, watching))
      return instances.find((instance) => instance.id === id)?.address;
    return undefined;
  });
}
