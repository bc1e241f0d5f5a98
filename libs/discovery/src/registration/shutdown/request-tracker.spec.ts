import { once } from 'node:events';
import { createServer, request, type ClientRequest, type IncomingMessage, type Server } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually, FakeClock, RecordingLogger, settle } from '@rookery/test-support';
import { RequestTracker } from './request-tracker.js';

describe('RequestTracker', () => {
  let clock: FakeClock;
  let server: Server;
  let port: number;
  let tracker: RequestTracker;
  let answers: (() => void)[];
  const asked: ClientRequest[] = [];

  beforeEach(async () => {
    clock = new FakeClock();
    answers = [];
    server = createServer((_request, response) => void answers.push(() => response.end('ok')));
    tracker = new RequestTracker(server, clock, (url) => url === '/health');
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    ({ port } = server.address() as AddressInfo);
  });
  afterEach(() => {
    for (const each of asked.splice(0)) each.destroy();
    tracker.destroyConnections();
    server.close();
  });

  /** @returns when it has arrived, with its response to come */
  const start = async (path?: string): Promise<{ response: Promise<IncomingMessage> }> => {
    const before = answers.length;
    const outgoing = request({ port, path, agent: false, headers: { connection: 'keep-alive' } });
    const response = once(outgoing, 'response').then(([found]) => found as IncomingMessage);
    response.then((found) => found.resume()).catch(() => undefined);
    outgoing.on('error', () => undefined);
    asked.push(outgoing);
    outgoing.end();
    await eventually(() => answers.length > before);
    return { response };
  };

  it('knows the requests in flight, and when there is none', async () => {
    await tracker.untilIdle();
    const first = await start();
    const second = await start();
    expect(tracker.inFlight).toBe(2);
    let isIdle = false;
    const idle = tracker.untilIdle().then(() => (isIdle = true));
    answers[0]?.();
    await first.response;
    await eventually(() => tracker.inFlight === 1);
    await settle();
    expect(isIdle).toBe(false);
    answers[1]?.();
    await second.response;
    await idle;
    expect(tracker.inFlight).toBe(0);
  });

  it('closes the connection of each response from when it drains until it is resumed', async () => {
    const connectionOf = async (before: () => void): Promise<string | undefined> => {
      const { response } = await start();
      before();
      answers.at(-1)?.();
      return (await response).headers.connection;
    };
    expect(await connectionOf(() => undefined)).toBe('keep-alive');
    expect(await connectionOf(() => tracker.drain())).toBe('close');
    expect(await connectionOf(() => undefined)).toBe('close');
    tracker.resume();
    expect(await connectionOf(() => undefined)).toBe('keep-alive');
  });

  it('leaves a response alone that has begun', async () => {
    server.prependOnceListener('request', (_request, response) => response.flushHeaders());
    const { response } = await start();
    tracker.drain();
    answers[0]?.();
    expect((await response).headers.connection).toBe('keep-alive');
  });

  const quietOf = (): { isQuiet: () => boolean } => {
    let isQuiet = false;
    tracker
      .untilQuiet(new AbortController().signal)
      .then(() => (isQuiet = true))
      .catch(() => undefined);
    return { isQuiet: () => isQuiet };
  };

  it('is quiet 200 ms later where it was never called, also by checks', async () => {
    await start('/health');
    const { isQuiet } = quietOf();
    await clock.advance(199);
    expect(isQuiet()).toBe(false);
    await clock.advance(1);
    expect(isQuiet()).toBe(true);
  });

  it('is quiet when no request has arrived for a second', async () => {
    await start();
    const { isQuiet } = quietOf();
    await clock.advance(900);
    await start();
    await start('/health');
    await clock.advance(1_099);
    expect(isQuiet()).toBe(false);
    await clock.advance(1);
    expect(isQuiet()).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it('rejects when it is no longer waited for', async () => {
    const aborting = new AbortController();
    const quiet = tracker.untilQuiet(aborting.signal);
    aborting.abort(new Error('enough'));
    await expect(quiet).rejects.toThrow('enough');
  });

  it('accepts no new connections from when it stops listening, also twice', async () => {
    tracker.stopListening();
    tracker.stopListening();
    expect(server.listening).toBe(false);
    const refused = connect(port, '127.0.0.1');
    const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNREFUSED');
  });

  it('destroys every connection', async () => {
    const { response } = await start();
    tracker.destroyConnections();
    await expect(response).rejects.toMatchObject({ code: 'ECONNRESET' });
  });

  it('closes what HTTP/1 has left, and gives the rest its time', async () => {
    const logger = new RecordingLogger();
    const accepted = once(server, 'connection');
    const half = connect(port, '127.0.0.1', () => half.write('GET / HT'));
    const [peer] = (await accepted) as [Socket];
    // A connection that is closed with bytes unread is reset (RFC 9293, 3.6.1), which is not what this test is of.
    await eventually(() => peer.bytesRead > 0);
    const halfClosed = once(half, 'close');
    tracker.closeRemaining(5_000, logger);
    await halfClosed;
    expect([logger.lines, clock.pending]).toEqual([[], 0]);

    server.on('upgrade', (_request, socket) => {
      socket.on('error', () => undefined);
      socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n');
    });
    const upgraded = request({ port, headers: { upgrade: 'x', connection: 'upgrade' } }).end();
    const [, socket] = (await once(upgraded, 'upgrade')) as [
      IncomingMessage,
      NodeJS.Socket & { destroyed: boolean },
    ];
    socket.on('error', () => undefined);
    tracker.closeRemaining(5_000, logger);
    expect(logger.lines).toEqual(['log connections still open: 1; closing them in at most 5000 ms']);
    await clock.advance(4_999);
    expect(socket.destroyed).toBe(false);
    const closed = once(socket, 'close');
    socket.resume();
    await clock.advance(1);
    await closed;
  });

  it('waits for the rest no more once the server is closed', async () => {
    const logger = new RecordingLogger();
    server.on('upgrade', (_request, socket) => {
      socket
        .on('error', () => undefined)
        .on('end', () => socket.end())
        .resume();
      socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n');
    });
    const upgraded = request({ port, headers: { upgrade: 'x', connection: 'upgrade' } }).end();
    const [, socket] = (await once(upgraded, 'upgrade')) as [
      IncomingMessage,
      NodeJS.Socket & { destroy(): void },
    ];
    socket.on('error', () => undefined);
    tracker.closeRemaining(5_000, logger);
    expect(clock.pending).toBe(1);
    const closed = once(server, 'close');
    tracker.stopListening();
    socket.destroy();
    await closed;
    expect(clock.pending).toBe(0);
  });

  it('follows nothing any more once it is released', async () => {
    tracker.release();
    const { response } = await start();
    expect(tracker.inFlight).toBe(0);
    tracker.drain();
    tracker.destroyConnections();
    answers[0]?.();
    expect((await response).headers.connection).toBe('keep-alive');
    expect([server.listenerCount('session'), server.listenerCount('connection')]).toEqual([0, 1]);
  });
});

describe('RequestTracker of HTTP/2', () => {
  it('ends idle sessions when it stops listening, and all when it destroys them', async () => {
    const server = createHttp2Server();
    const clock = new FakeClock();
    const tracker = new RequestTracker(server as unknown as Server, clock, () => false);
    server.on('stream', () => undefined);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const open = async (): Promise<{ closed: Promise<unknown> }> => {
      const begun = once(server, 'session');
      const session = connectHttp2(`http://127.0.0.1:${port}`);
      session.on('error', () => undefined);
      const closed = once(session, 'close');
      await begun;
      return { closed };
    };
    const idle = await open();
    const logger = new RecordingLogger();
    // It has nothing that it could close of HTTP/1.
    tracker.closeRemaining(1_000, logger);
    expect(logger.lines).toHaveLength(1);
    const closed = once(server, 'close');
    tracker.stopListening();
    await idle.closed;
    await closed;
    expect(clock.pending).toBe(0);
  });

  it('destroys sessions with a stream in flight', async () => {
    const server = createHttp2Server();
    const tracker = new RequestTracker(server as unknown as Server, new FakeClock(), () => false);
    server.on('stream', () => undefined);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    session.on('error', () => undefined);
    const stream = session.request({ ':path': '/' });
    stream.on('error', () => undefined);
    await once(server, 'stream');
    const closed = once(session, 'close');
    expect(session.closed).toBe(false);
    tracker.destroyConnections();
    await closed;
    server.close();
    await once(server, 'close');
  });
});
