import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2Server, type Http2Server } from 'node:http2';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { eventually } from '@rookery/test-support';
import { onResponseEnd } from './response-end.js';

const GET = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';

describe('the end of a response', () => {
  const cleanUps: (() => unknown)[] = [];
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  const listen = async (server: Server | Http2Server): Promise<number> => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    cleanUps.push(() => server.close());
    return (server.address() as AddressInfo).port;
  };
  const client = (port: number): Socket => {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    cleanUps.push(() => socket.destroy());
    return socket;
  };
  const counting = () => {
    const seen = { begun: 0, ended: 0 };
    const count: RequestListener = (request, response) => {
      seen.begun++;
      onResponseEnd(request, response, () => seen.ended++);
    };
    return { seen, count };
  };

  it('is told once for each request of a connection, whether it is sent or its client leaves', async () => {
    const { seen, count } = counting();
    const server = createServer((request, response) => {
      count(request, response);
      if (request.url === '/') response.end('x');
    });
    const socket = client(await listen(server));
    socket.write(GET + GET + GET);
    await eventually(() => seen.ended === 3);
    socket.write(GET.replace('/', '/hangs'));
    await eventually(() => seen.begun === 4);
    socket.destroy();
    await eventually(() => seen.ended === 4);
  });

  it('is told of those that wait behind another one when their connection breaks, with one listener for all', async () => {
    const { seen, count } = counting();
    let listeners = 0;
    const server = createServer((request, response) => {
      count(request, response);
      listeners = request.socket.listenerCount('close');
    });
    const socket = client(await listen(server));
    socket.write(GET);
    await eventually(() => seen.begun === 1);
    const before = listeners;
    socket.write(GET.repeat(20));
    await eventually(() => seen.begun === 21);
    expect(listeners).toBe(before + 1);
    socket.destroy();
    await eventually(() => seen.ended === 21);
  });

  it('is told at once of one whose client has left before, over HTTP/1 and HTTP/2', async () => {
    const { seen, count } = counting();
    let arrived = 0;
    const late: RequestListener = (request, response) => {
      arrived++;
      response.once('close', () => setImmediate(() => count(request, response)));
    };
    const socket = client(await listen(createServer(late)));
    socket.write(GET);
    await eventually(() => arrived === 1);
    socket.destroy();
    await eventually(() => seen.begun === 1);
    expect(seen.ended).toBe(1);
    const port = await listen(createHttp2Server(late as never));
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    session.request().on('error', () => undefined);
    await eventually(() => arrived === 2);
    session.destroy();
    await eventually(() => seen.begun === 2);
    expect(seen.ended).toBe(2);
  });
});
