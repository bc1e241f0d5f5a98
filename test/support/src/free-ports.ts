import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';

const handedOut = new Set<number>();
/**
 * Below the range from which Linux takes the ports of outgoing connections: none of these takes the port of an agent that is restarted. Above 10080, to
 * which fetch makes no request ("bad port" of the Fetch standard).
 */
const FIRST = 10_081;
const LAST = 32_000;

/**
 * Ports of 127.0.0.1 that are free for TCP and UDP (Consul's gossip and DNS use both). Between this and their use
 * another process may take one: callers must be ready to retry.
 */
export async function freePorts(count: number): Promise<number[]> {
  const found: number[] = [];
  const releases: (() => Promise<unknown>)[] = [];
  try {
    while (found.length < count) {
      const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
      if (handedOut.has(port)) continue;
      const server = createServer();
      try {
        await once(server.listen(port, '127.0.0.1'), 'listening');
      } catch {
        continue;
      }
      releases.push(() => once(server.close(), 'close'));
      const socket = createSocket('udp4');
      releases.push(() => once(socket.close(), 'close'));
      const free = await new Promise<boolean>((resolve) => {
        socket.once('error', () => resolve(false));
        socket.bind(port, '127.0.0.1', () => resolve(true));
      });
      if (!free) continue;
      handedOut.add(port);
      found.push(port);
    }
    return found;
  } finally {
    await Promise.all(releases.map((release) => release()));
  }
}
