import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { TcpSocket, WritePacket } from '@nestjs/microservices';
import type { ServiceInstance } from '@rookery/discovery';
import { eventually, thrownBy } from '@rookery/test-support';
import { InstanceClient } from './instance-client.js';
import { TcpConnections } from './tcp-connections.js';

class WatchedClient extends InstanceClient {
  made: Socket | undefined;

  override createSocket(): TcpSocket {
    const created = super.createSocket();
    this.made = created.netSocket;
    return created;
  }
}

describe('InstanceClient', () => {
  it('leaves no connection when it is closed before a peer has answered its handshake', async () => {
    // It does not end its side either.
    const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const instance = { address: '127.0.0.1', port } as ServiceInstance;
    const security = { tls: undefined, certificates: undefined, onClosed: () => undefined };
    const client = new WatchedClient(instance, { tlsOptions: {} }, security);
    const packet = { pattern: 'find', data: {} };
    const failed = thrownBy(() => client.request(packet, () => undefined, new AbortController().signal));
    const [peer] = await accepted;
    peer.on('error', () => undefined).resume();
    client.close();
    try {
      await eventually(() => client.made?.destroyed, { within: 10_000 });
      expect(String(await failed)).toMatch(/no connection within 1000 ms/);
    } finally {
      peer.destroy();
      server.close();
    }
  });

  describe('of a peer', () => {
    const PACKET = { pattern: 'find', data: {} };
    const cleanUps: (() => unknown)[] = [];
    afterEach(() => {
      for (const cleanUp of cleanUps.splice(0).reverse()) cleanUp();
    });
    const started = async (onConnection: (socket: Socket) => void) => {
      const peers: Socket[] = [];
      const server = createServer({ allowHalfOpen: true }, (socket) => {
        peers.push(socket.on('error', () => undefined));
        onConnection(socket);
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      cleanUps.push(() => {
        server.close();
        for (const peer of peers) peer.destroy();
      });
      const { port } = server.address() as AddressInfo;
      const instance = { address: '127.0.0.1', port } as ServiceInstance;
      const connections = new TcpConnections({}, () => undefined);
      cleanUps.push(() => connections.close());
      return { connections, instance, peers };
    };
    const request = (client: InstanceClient, onAnswer: (answer: WritePacket) => void = () => undefined) =>
      client.request(PACKET, onAnswer, new AbortController().signal);

    it('that hangs, the connection is gone when it is closed, though the peer does not end its side', async () => {
      const { connections, instance, peers } = await started((socket) => socket.resume());
      await request(connections.to(instance));
      const [peer] = peers as [Socket];
      connections.close();
      // Where the other side is only half closed, it can write on.
      await eventually(() => {
        if (!peer.destroyed) peer.write('x');
        return peer.destroyed;
      });
      expect(peer.destroyed).toBe(true);
    });

    it('of which nothing is heard, calls after one that gave up get another connection', async () => {
      const { connections, instance, peers } = await started((socket) => socket.resume());
      const giveUp = await request(connections.to(instance));
      const first = connections.to(instance);
      giveUp();
      // Not for long yet.
      expect(connections.to(instance)).toBe(first);
      const giveUpLate = await request(first);
      await new Promise((resolve) => setTimeout(resolve, 1_100));
      giveUpLate();
      expect(connections.to(instance)).not.toBe(first);
      await request(connections.to(instance));
      await eventually(() => peers.length === 2);
    });

    it('keeps nothing of a request that has failed', async () => {
      const { connections, instance } = await started((socket) => {
        socket.on('data', (sent: Buffer) => {
          const { id } = JSON.parse(sent.toString().replace(/^\d+#/, '')) as { id: string };
          const answer = JSON.stringify({ err: { code: 'RK_MISDIRECTED' }, id });
          socket.write(`${answer.length}#${answer}`);
        });
      });
      const client = connections.to(instance);
      const answers: WritePacket[] = [];
      await request(client, (answer) => answers.push(answer));
      await eventually(() => answers.length === 1);
      const { routingMap } = client as unknown as { routingMap: Map<string, unknown> };
      expect(routingMap.size).toBe(0);
    });

    it('that does not speak the protocol, a request fails, and the next one has another connection', async () => {
      const { connections, instance, peers } = await started((socket) => socket.write('HTTP/1.1#400'));
      for (let n = 1; n <= 2; n++) {
        const answers: WritePacket[] = [];
        await request(connections.to(instance), (answer) => answers.push(answer)).catch((error: unknown) =>
          answers.push({ err: error }),
        );
        await eventually(() => answers.length > 0);
        expect(answers[0]?.err).toBeInstanceOf(Error);
        await eventually(() => peers.length === n && connections.size === 0);
      }
    });
  });
});
