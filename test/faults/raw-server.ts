import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A TCP server that answers with whatever bytes a fault needs. */
export class RawServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  connections = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(onConnection: (socket: Socket) => void): Promise<RawServer> {
    const server = createServer();
    const raw = new RawServer(server);
    server.on('connection', (socket) => {
      raw.connections++;
      raw.#sockets.add(socket);
      socket.on('close', () => raw.#sockets.delete(socket));
      socket.on('error', () => undefined);
      onConnection(socket);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return raw;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

const HEAD = 'HTTP/1.1 200 OK\r\n';

/** Answers each request with these bytes, and closes the connection when `ends`. */
function answering(bytes: string, ends = true): (socket: Socket) => void {
  return (socket) => {
    socket.on('data', () => {
      socket.write(bytes);
      if (ends) setTimeout(() => socket.destroy(), 5);
    });
  };
}

function greeting(bytes: string | Buffer): (socket: Socket) => void {
  return (socket) => {
    socket.resume();
    socket.write(bytes);
  };
}

/** A fatal alert of TLS 1.2 instead of a handshake (RFC 5246, 7.2). */
function tlsAlert(description: number): Buffer {
  return Buffer.from([0x15, 3, 3, 0, 2, 2, description]);
}

/** Instances whose port answers, but not as an HTTP server should. */
export const BROKEN: Readonly<Record<string, (socket: Socket) => void>> = {
  'an SSH greeting': greeting('SSH-2.0-x\r\n'),
  'an SMTP greeting': greeting('220 mail.example ESMTP\r\n'),
  'a MySQL greeting': greeting(Buffer.from([0x4a, 0, 0, 0, 0x0a, 0x38, 0x2e, 0x30, 0, 1, 2, 3])),
  'a Redis error': answering('-ERR unknown command\r\n', false),
  'a TLS alert': greeting(tlsAlert(40)),
  'a bad chunk': answering(`${HEAD}transfer-encoding: chunked\r\n\r\nzz\r\nnonsense\r\n`),
  'a wrong length': answering(`${HEAD}content-length: 100\r\n\r\nshort`),
  'two lengths': answering(`${HEAD}content-length: 1\r\ncontent-length: 2\r\n\r\nab`),
  'an invalid header': answering(`${HEAD}bad header\u0000: 1\r\ncontent-length: 0\r\n\r\n`),
  'a header without an end': answering(`${HEAD}x: ${'y'.repeat(100_000)}\r\n\r\n`),
  'an empty response': (socket) => socket.on('data', () => socket.end()),
};

/** The alerts with which a server ends a handshake, for an instance that is registered with TLS. */
export const TLS_ALERTS: Readonly<Record<string, (socket: Socket) => void>> = {
  handshake_failure: greeting(tlsAlert(40)),
  bad_certificate: greeting(tlsAlert(42)),
  unknown_ca: greeting(tlsAlert(48)),
  certificate_required: greeting(tlsAlert(116)),
  // With what the client has sent unread, its connection would be reset.
  'a close before the handshake': (socket) => socket.once('data', () => socket.destroy()),
};
