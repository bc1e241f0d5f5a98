import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HttpService } from '@nestjs/axios';
import { Injectable } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { ServiceClient } from '@rookery/discovery';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';
import { eventually, thrownBy } from '@rookery/test-support';
import { createApp, rootModule } from './test-app.js';

@Injectable()
class Caller {
  constructor(@ServiceClient('orders') readonly http: HttpService) {}
}

describe('a redirect', () => {
  it('of a POST that waits for a connection is no reason to send the POST again', async () => {
    const posted: ServerResponse[] = [];
    const registry = new InMemoryRegistry();
    const servers = [1, 2].map(() =>
      createServer((request, response) => {
        if (request.method === 'POST') posted.push(response);
      }),
    );
    for (const server of servers) {
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      registry.put({ service: 'orders', port: (server.address() as AddressInfo).port });
    }
    const limits = { maxConnections: 1, attemptTimeout: '500ms', timeout: '3s' } as const;
    const clients = { ...limits, strategy: 'consistent-hash' } as const;
    // Both go to the same instance.
    const hashKey = 'book 7';
    const discovery = DiscoveryModule.forRootAsync({ useFactory: () => ({ registry, clients }) });
    const { app } = await createApp(rootModule([discovery], { providers: [Caller] }));
    await app.init();
    const { axiosRef } = app.get(Caller).http;
    const post = thrownBy(axiosRef.post('/orders', { book: 7 }, { call: { hashKey } }));
    await eventually(() => posted.length === 1);
    // Waits for the connection, has it when the redirect comes, and keeps it.
    const hanging = thrownBy(axiosRef.get('/hangs', { call: { hashKey, retries: 0 } }));
    posted[0]?.writeHead(307, { location: '/orders/again' }).end();
    await post;
    await hanging;
    expect(posted).toHaveLength(1);
    await app.close();
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
  });
});
