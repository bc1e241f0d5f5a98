import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '@rookery/test-support';
import type { buildConnector, Dispatcher } from 'undici';
import { MAX_HANDSHAKES, NO_ANSWER } from './handshake-limit.js';
import { InstancePool, type SentLater } from './instance-pool.js';

const CONNECTIONS = 64;

describe('InstancePool', () => {
  let server: Server;
  let port: number;
  let pool: InstancePool;
  /** Handshakes that a test lets succeed or fail. */
  let handshakes: buildConnector.Callback[];
  let outcomes: string[];

  beforeAll(async () => {
    server = createServer((_, response) => response.end('fine'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    ({ port } = server.address() as AddressInfo);
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  beforeEach(() => {
    handshakes = [];
    outcomes = [];
    pool = new InstancePool(`https://127.0.0.1:${port}`, CONNECTIONS, (_, done) => {
      handshakes.push(done);
    });
  });
  afterEach(() => pool.destroy());

  const succeed = async (done: buildConnector.Callback | undefined): Promise<void> => {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    // What the handshake is over does not matter here.
    done?.(null, socket);
  };
  const send = (count: number): void => {
    for (let n = 0; n < count; n++) {
      const handler: SentLater = {
        onRequestStart: () => undefined,
        onResponseStart: () => undefined,
        onResponseData: () => undefined,
        onResponseEnd: () => void outcomes.push('answered'),
        onResponseError: (_: Dispatcher.DispatchController, { message }: Error) =>
          void outcomes.push(message),
        failWith: ({ message }) => void outcomes.push(message),
      };
      pool.dispatch({ path: '/', method: 'GET' }, handler);
    }
  };

  it('sends what waits over the first connection that is free, whichever handshake was begun for it', async () => {
    send(30);
    expect(handshakes).toHaveLength(MAX_HANDSHAKES);
    await succeed(handshakes[2]);
    // All but those that have begun a handshake of their own.
    await eventually(() => outcomes.length === 30 - MAX_HANDSHAKES);
    expect(new Set(outcomes)).toEqual(new Set(['answered']));
    expect(handshakes).toHaveLength(MAX_HANDSHAKES + 1);
    for (const done of handshakes.filter((_, index) => index !== 2)) await succeed(done);
    await eventually(() => outcomes.length === 30);
  });

  it('goes on when a handshake fails, and makes another', async () => {
    send(10);
    handshakes[0]?.(new Error('expired'), null);
    await eventually(() => outcomes.length === 1 && handshakes.length === MAX_HANDSHAKES + 1);
    expect(outcomes).toEqual(['expired']);
    await succeed(handshakes[1]);
    await eventually(() => outcomes.length === 1 + 10 - 1 - MAX_HANDSHAKES);
  });

  it('lets all that wait fail with the first that gets no answer, while there is no connection', async () => {
    send(20);
    handshakes[0]?.(Object.assign(new Error('no answer'), { code: NO_ANSWER }), null);
    await eventually(() => outcomes.length === 20 - MAX_HANDSHAKES + 1);
    expect(new Set(outcomes)).toEqual(new Set(['no answer']));
    expect(handshakes).toHaveLength(MAX_HANDSHAKES);
  });

  it('ends when what waits is answered', async () => {
    send(10);
    const closed = pool.close();
    await eventually(async () => {
      for (const done of handshakes.splice(0)) await succeed(done);
      return outcomes.length === 10;
    });
    await closed;
    expect(outcomes).toEqual(Array.from({ length: 10 }, () => 'answered'));
  });

  it('lets what waits fail when it is destroyed', async () => {
    send(10);
    await pool.destroy();
    await eventually(() => outcomes.length === 10);
    expect(outcomes).not.toContain('answered');
  });
});
