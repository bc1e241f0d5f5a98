import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import type { TcpSocket } from '@nestjs/microservices';
import type { ServiceInstance } from '@rookery/discovery';
import { eventually, thrownBy } from '@rookery/test-support';
import { InstanceClient } from './instance-client.js';

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
});
