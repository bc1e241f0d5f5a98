import { once } from 'node:events';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { InMemoryRegistry } from '../testing/in-memory.registry.js';
import type { ServiceInstance } from './service-instance.js';
import { probeAll, probeInstance } from './instance-probe.js';

describe('probeInstance', () => {
  const servers: Server[] = [];
  const registry = new InMemoryRegistry();
  const at = (port: number, more: Partial<ServiceInstance> = {}): ServiceInstance =>
    registry.put({ service: 'a', port, ...more });
  const listen = async (server: Server): Promise<number> => {
    servers.push(server.listen(0, '127.0.0.1'));
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  };
  const ready = (listener: RequestListener): Promise<number> => listen(createHttpServer(listener));
  const meta = { 'rookery-ready': '/health/ready' };
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  it('distinguishes accepted from refused connections', async () => {
    const port = await listen(createServer());
    const closed = await listen(createServer());
    servers.pop()?.close();
    expect(await probeAll([at(port), at(closed), at(port)], probeInstance)).toEqual([
      'reachable',
      'refused',
      'reachable',
    ]);
  });

  it('requests readiness where there is a path for it, and does not read the body', async () => {
    const asked: string[] = [];
    let closed = 0;
    const port = await ready((request, response) => {
      asked.push(request.url ?? '');
      request.socket.once('close', () => closed++);
      response.writeHead(asked.length === 1 ? 200 : 503);
      response.write('it goes on for ever');
    });
    expect(await probeInstance(at(port, { meta }))).toBe('reachable');
    expect(await probeInstance(at(port, { meta }))).toBe('not-ready');
    expect(asked).toEqual(['/health/ready', '/health/ready']);
    while (closed < 2) await new Promise((resolve) => setImmediate(resolve));
  });

  it('is not held up by a server that drips', async () => {
    const port = await listen(
      createServer((socket) => {
        socket.write('HTTP/1.1 200 OK\r\nX-Drip: ');
        const dripping = setInterval(() => socket.write('x'), 50);
        socket.on('close', () => clearInterval(dripping)).on('error', () => undefined);
      }),
    );
    expect(await probeInstance(at(port, { meta }))).toBe('reachable');
  });

  it('is unknown for an address that cannot be dialled, and for local errors', async () => {
    const port = await listen(createServer());
    const odd = [
      at(70_000),
      at(-5),
      at(port, { meta: { 'rookery-ready': '/a b' } }),
      at(port, { address: 'a..b' }),
    ];
    expect(await probeAll([...odd, at(port)], probeInstance)).toEqual([
      'unknown',
      'unknown',
      'unknown',
      'unknown',
      'reachable',
    ]);
  });
});
