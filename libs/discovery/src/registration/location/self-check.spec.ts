import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { freePorts } from '@rookery/test-support';
import { InMemoryRegistry } from '../../testing/in-memory.registry.js';
import { explainUnreachable, findAdvertised } from './self-check.js';

const HINT = 'set service.address, ROOKERY_ADDRESS or service.preferredNetworks; this host has ';

describe('explainUnreachable', () => {
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });
  const listen = async (): Promise<{ server: Server; port: number }> => {
    const server = createServer((socket) => socket.on('error', () => undefined).end());
    servers.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return { server, port: (server.address() as AddressInfo).port };
  };

  it('has nothing to say of an address that leads to this app, and leaves no listener', async () => {
    const { server, port } = await listen();
    const before = server.listenerCount('connection');
    expect(await explainUnreachable('127.0.0.1', port, server)).toBeUndefined();
    expect(server.listenerCount('connection')).toBe(before);
  });

  it('names another process that answers there', async () => {
    const [other, own] = [await listen(), await listen()];
    const found = await explainUnreachable('127.0.0.1', other.port, own.server);
    expect(found).toContain(`another process answers at 127.0.0.1, port ${other.port}: ${HINT}`);
    expect(await explainUnreachable('127.0.0.1', other.port, undefined)).toBeUndefined();
  });

  it('says why it cannot connect, and which addresses this host has', async () => {
    const [port = 0] = await freePorts(1);
    const found = await explainUnreachable('127.0.0.1', port, undefined);
    expect(found).toContain(`cannot connect to 127.0.0.1, port ${port} (ECONNREFUSED): ${HINT}`);
    expect(found).not.toContain('has 127.0.0.1');
    expect(found?.split(', ')).not.toContain('127.0.0.1');
  });
});

describe('findAdvertised', () => {
  it('finds the address of an instance in the first list', async () => {
    const registry = new InMemoryRegistry();
    registry.put({ service: 'a', id: 'other', port: 1, address: '10.0.0.1' });
    registry.put({ service: 'a', id: 'own', port: 2, address: '10.0.0.2' });
    const { signal } = new AbortController();
    expect(await findAdvertised(registry, 'a', 'own', signal)).toBe('10.0.0.2');
    expect(await findAdvertised(registry, 'a', 'missing', signal)).toBeUndefined();
  });
});
