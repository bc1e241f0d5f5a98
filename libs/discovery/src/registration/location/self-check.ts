import { networkInterfaces } from 'node:os';
import type { Server } from 'node:net';
import type { ServiceRegistry } from '../../registry/service-registry.js';
import { scoped } from '../../timing/scoped-signal.js';
import { dial } from './app-servers.js';

/**
 * Dials the address that others are given, and explains what is wrong with it; undefined when it leads to us. Somebody
 * who answers there and is not our own server is as wrong as nobody.
 */
export async function explainUnreachable(
  address: string,
  port: number,
  server: Server | undefined,
): Promise<string | undefined> {
  const seen: unknown[] = [];
  const onConnection = (socket: unknown): void => void seen.push(socket);
  server?.on('connection', onConnection);
  const failure = await dial(address, port);
  // The server accepts in a turn of its own.
  if (server && failure === undefined && seen.length === 0)
    await new Promise((resolve) => setTimeout(resolve, 100));
  server?.removeListener('connection', onConnection);
  const cure = `set service.address, ROOKERY_ADDRESS or service.preferredNetworks; this host has ${ownAddresses().join(', ')}`;
  if (failure !== undefined) return `nobody answers at ${address}, port ${port} (${failure}): ${cure}`;
  if (server && seen.length === 0)
    return `something else than this app answers at ${address}, port ${port}: ${cure}`;
  return undefined;
}

function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((found = []) =>
    found.filter(({ internal }) => !internal).map(({ address }) => address),
  );
}

/** The address under which the registry shows an instance to others; undefined when it does not show it yet. */
export async function findAdvertised(
  registry: ServiceRegistry,
  service: string,
  id: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  return scoped(signal, async (ending) => {
    for await (const { instances } of registry.watch(service, {}, ending))
      return instances.find((instance) => instance.id === id)?.address;
    return undefined;
  });
}
