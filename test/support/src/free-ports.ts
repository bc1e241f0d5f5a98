import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

const handedOut = new Set<number>();

/**
 * Ports of 127.0.0.1 that are free for TCP and UDP (Consul's gossip and DNS use both). Between this and their use
 * another process may take one: callers must be ready to retry.
 */
export async function freePorts(count: number): Promise<number[]> {
  const found: number[] = [];
  const releases: (() => Promise<unknown>)[] = [];
  try {
    while (found.length < count) {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      releases.push(() => once(server.close(), 'close'));
      const socket = createSocket('udp4');
      releases.push(() => once(socket.close(), 'close'));
      const free = await new Promise<boolean>((resolve) => {
        socket.once('error', () => resolve(false));
        socket.bind(port, '127.0.0.1', () => resolve(true));
      });
      if (!free || handedOut.has(port)) continue;
      handedOut.add(port);
      found.push(port);
    }
    return found;
  } finally {
    await Promise.all(releases.map((release) => release()));
  }
}
