import type { Server } from 'node:http';
import type { Http2Session } from 'node:http2';
import type { Socket } from 'node:net';

/**
 * The connections of a server. Node's own list has only those of HTTP/1 that are not upgraded, while `server.close()` waits for all:
 * a WebSocket or an idle HTTP/2 session would keep the app alive for as long as its client likes.
 */
export class OpenConnections {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #sessions = new Set<Http2Session>();

  constructor(server: Server) {
    this.#server = server;
    server.on('connection', this.#onConnection);
    server.on('session', this.#onSession);
  }

  get count(): number {
    let open = 0;
    for (const { destroyed } of this.#sockets) if (!destroyed) open++;
    return open;
  }

  /** Tells HTTP/2 clients to open no more streams; an idle session ends at once. */
  closeSessions(): void {
    for (const session of this.#sessions) session.close();
  }

  /** Closes every connection of HTTP/1, also one that has sent no request or half of one. */
  closeHttp(): void {
    // A server of HTTP/2 has no such method.
    (this.#server as Partial<Server>).closeAllConnections?.();
  }

  destroyAll(): void {
    for (const session of this.#sessions) session.destroy();
    for (const socket of this.#sockets) socket.destroy();
  }

  release(): void {
    this.#server.removeListener('connection', this.#onConnection);
    this.#server.removeListener('session', this.#onSession);
  }

  readonly #onConnection = (socket: Socket): void => {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  };

  readonly #onSession = (session: Http2Session): void => {
    this.#sessions.add(session);
    session.once('close', () => this.#sessions.delete(session));
  };
}
