import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os';
import { parseNetwork } from './network.js';

export interface AddressFacts {
  /** From the options or the environment. */
  readonly option: string | undefined;
  /** An address of this host within the preferred networks of the options. */
  readonly preferred: string | undefined;
  /** The address that the app's server is bound to; undefined or a wildcard when it is bound to all. */
  readonly bound: string | undefined;
  /** Undefined: the registry is reached over a Unix domain socket. */
  readonly registryHost: string | undefined;
  readonly registryKnowsNodeAddress: boolean;
  /** Address of the interface that routes to the registry, if there is one. */
  readonly towardsRegistry: string | undefined;
  /** The first address of this host that others may reach, if there is one. */
  readonly external: string | undefined;
}

export interface AdvertisedAddress {
  /** Undefined: the registry fills in the address of its node. */
  readonly address: string | undefined;
  /** The host under which the registry's agent reaches the app, for its checks. */
  readonly checkHost: string;
  /** That host is the advertised one, which may be a proxy's or a container's, and not where this process listens. */
  readonly checkIsRemote: boolean;
}

/**
 * Chooses the address that others are given. With the agent on this host, the agent's advertised address is also that of
 * the app, and the only one that is known to be right: a loopback address would send other hosts to themselves.
 */
export function chooseAddress(facts: AddressFacts): AdvertisedAddress {
  const bound = facts.bound !== undefined && !isWildcard(facts.bound) ? facts.bound : undefined;
  if (facts.option !== undefined)
    return { address: facts.option, checkHost: bound ?? facts.option, checkIsRemote: bound === undefined };
  if (bound !== undefined) return { address: bound, checkHost: bound, checkIsRemote: false };
  if (facts.preferred !== undefined)
    return { address: facts.preferred, checkHost: facts.preferred, checkIsRemote: false };
  const isAgentLocal = facts.registryHost === undefined || isLoopback(facts.registryHost);
  if (isAgentLocal && facts.registryKnowsNodeAddress) {
    return { address: undefined, checkHost: '127.0.0.1', checkIsRemote: false };
  }
  // The network may not be there yet, nor the name of the registry: a loopback address would send other hosts to themselves.
  const address = facts.towardsRegistry ?? (isAgentLocal ? undefined : facts.external) ?? '127.0.0.1';
  return { address, checkHost: address, checkIsRemote: false };
}

/** The first address of this host within the first of these networks that has one. */
export function addressWithin(
  networks: readonly string[],
  interfaces: NodeJS.Dict<NetworkInterfaceInfo[]> = networkInterfaces(),
): string | undefined {
  const addresses = Object.values(interfaces).flatMap((found = []) => found.map(({ address }) => address));
  for (const cidr of networks) {
    const network = parseNetwork(cidr);
    const found = addresses.find((address) => network?.contains(address));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The first address of this host that is not its own only; IPv4 before IPv6, of which link-local ones mean nothing elsewhere. */
export function externalAddress(
  interfaces: NodeJS.Dict<NetworkInterfaceInfo[]> = networkInterfaces(),
): string | undefined {
  const usable = Object.values(interfaces)
    .flatMap((found = []) => found)
    .filter(({ internal, address }) => !internal && !/^(fe80:|169\.254\.)/i.test(address));
  return (usable.find(({ family }) => family === 'IPv4') ?? usable[0])?.address;
}

/** The local address from which a packet to this host would be sent; no packet is sent. */
export async function addressTowards(host: string): Promise<string | undefined> {
  const target = isIP(host) ? host : (await lookup(host).catch(() => undefined))?.address;
  if (target === undefined) return undefined;
  const socket = createSocket(isIP(target) === 6 ? 'udp6' : 'udp4');
  try {
    return await new Promise<string | undefined>((resolve) => {
      socket.once('error', () => resolve(undefined));
      // Connecting a UDP socket only asks the kernel for a route. The port is never used.
      // Where there is none, the callback gets an error, which the types of Node do not say.
      socket.connect(9, target, (error?: Error | null) =>
        resolve(error ? undefined : socket.address().address),
      );
    });
  } finally {
    socket.close();
  }
}

function isWildcard(address: string): boolean {
  return address === '::' || address === '0.0.0.0' || address === '';
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || host.startsWith('127.');
}
