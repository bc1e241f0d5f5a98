import { ServerResponse, type IncomingMessage, type Server } from 'node:http';
import type { Http2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { Server as TlsServer, type TLSSocket } from 'node:tls';
import type { Certificates } from '@rookery/discovery';
import { toContextOptions } from '@rookery/discovery/adapter';
import { describeDenial, type Denial } from './connect-access.js';
import type { ConnectIdentity } from './connect-identity.js';
import { peerOf, type ConnectPeer } from './connect-peer.js';

/** What of a request says what it asks for. */
export type RequestLine = Pick<IncomingMessage, 'method' | 'url'>;

export interface ServerGuardTools {
  readonly identity: ConnectIdentity;
  readonly denialOf: (peer: ConnectPeer) => Denial | undefined;
  /** Whether a request needs no certificate: that for the health of this app, where the registry asks this server. */
  readonly isOpen: (request: RequestLine | IncomingMessage) => boolean;
  /** Some requests need no certificate, so that connections without one are accepted. */
  readonly hasOpenRequests: boolean;
  readonly onDenied: (denial: Denial) => void;
}

const FORBIDDEN = 403;
/** Both sides of Connect speak it. */
const MIN_VERSION = 'TLSv1.2';

/** Gives a server of the app its certificate, and keeps callers out that may not call. */
export class ServerGuard {
  readonly #server: Server & TlsServer;
  readonly #tools: ServerGuardTools;
  /** Reading a certificate costs more than most requests do. */
  readonly #peers = new WeakMap<object, ConnectPeer>();
  /** With which certificate they were opened. */
  readonly #openedWith = new WeakMap<object, Certificates>();
  readonly #endRenewal: () => void;

  /** @returns undefined: the server does not speak TLS, or has a certificate of its own */
  static on(server: Server, tools: ServerGuardTools): ServerGuard | undefined {
    // Fastify makes a second server of the same options for a second address: without a certificate it takes no connection.
    const isFree = server instanceof TlsServer && (server as { cert?: unknown }).cert === undefined;
    return isFree ? new ServerGuard(server, tools) : undefined;
  }

  private constructor(server: Server & TlsServer, tools: ServerGuardTools) {
    this.#server = server;
    this.#tools = tools;
    this.#setCertificates();
    this.#endRenewal = tools.identity.onChange(() => this.#setCertificates());
    this.#watchConnections();
    this.#checkRequests();
  }

  /** The certificate stays as it is. The guard stays for as long as there is the server. */
  release(): void {
    this.#endRenewal();
  }

  /** For connections that follow. */
  #setCertificates(): void {
    const options = toContextOptions(this.#tools.identity.current());
    this.#server.setSecureContext({ ...options, minVersion: MIN_VERSION });
  }

  #watchConnections(): void {
    this.#server.prependListener('secureConnection', (socket) => {
      this.#openedWith.set(socket, this.#tools.identity.current());
      // Its first certificate is the one that counts: TLS 1.2 could show another one later, which Node would not verify.
      socket.disableRenegotiation();
      const peer = this.#peerAt(socket);
      if ('problem' in peer && !this.#tools.hasOpenRequests) this.#refuseStranger(socket, peer.problem);
    });
  }

  /** At once, as a server does that rejects what it has not authorized: nothing of it is parsed. */
  #refuseStranger(socket: TLSSocket, reason: string): void {
    this.#tools.onDenied({ caller: undefined, reason });
    socket.destroy();
  }

  /**
   * Where requests leave the server, before any middleware, route or gateway, and whenever those were added: a listener could neither stop the others nor
   * be sure to be the first.
   */
  #checkRequests(): void {
    const server = this.#server;
    // The method of the class, or what an instrumentation has put in its place.
    const emit = server.emit.bind(server);
    const guarded = (event: string, ...given: unknown[]): boolean => {
      const denial = this.#denialOf(event, given);
      if (event === 'request') this.#closeIfOld(given);
      if (!denial) return (emit as (name: string, ...rest: unknown[]) => boolean)(event, ...given);
      this.#tools.onDenied(denial);
      deny(event, given, denial);
      return true;
    };
    server.emit = guarded as typeof server.emit;
  }

  #denialOf(event: string, [first, second]: readonly unknown[]): Denial | undefined {
    switch (event) {
      case 'request':
      case 'checkContinue':
      case 'checkExpectation':
        return this.#tools.isOpen(first as IncomingMessage) ? undefined : this.#denialAt(first);
      // What is open is the answer to a request, and no connection.
      case 'upgrade':
      case 'connect':
        return this.#denialAt(first);
      // Of HTTP/2; what it makes of them for listeners of HTTP/1 follows.
      case 'stream': {
        const { ':method': method, ':path': url } = second as Record<string, string | undefined>;
        if (this.#tools.isOpen({ method, url })) return undefined;
        const { socket } = (first as Http2Stream).session ?? {};
        return socket
          ? this.#denialAt({ socket })
          : { caller: undefined, reason: 'its connection has ended' };
      }
      default:
        return undefined;
    }
  }

  #denialAt(request: unknown): Denial | undefined {
    return this.#tools.denialOf(this.#peerAt((request as { socket: TLSSocket }).socket));
  }

  /** A connection of HTTP/1 that has shown an earlier certificate ends with this request, so that none outlives it. */
  #closeIfOld([request, response]: readonly unknown[]): void {
    const openedWith = this.#openedWith.get((request as IncomingMessage).socket);
    if (openedWith === undefined || openedWith === this.#tools.identity.current()) return;
    if (response instanceof ServerResponse && !response.headersSent) response.shouldKeepAlive = false;
  }

  #peerAt(socket: TLSSocket): ConnectPeer {
    let peer = this.#peers.get(socket);
    if (!peer) this.#peers.set(socket, (peer = peerOf(socket)));
    return peer;
  }
}

function deny(event: string, given: readonly unknown[], denial: Denial): void {
  const body = JSON.stringify({ statusCode: FORBIDDEN, message: describeDenial(denial) });
  if (event === 'stream') {
    const [stream] = given as [Http2Stream & { respond(headers: object): void }];
    // Its peer has reset it, or its connection has ended.
    if (stream.destroyed || stream.closed) return;
    stream.on('error', () => undefined);
    stream.respond({ ':status': FORBIDDEN, 'content-type': 'application/json; charset=utf-8' });
    stream.end(body);
  } else if (event === 'upgrade' || event === 'connect') {
    const [, socket] = given as [unknown, Socket];
    // Nothing of Node's listens to it any more: a peer that resets its connection would end the process.
    socket.on('error', () => undefined);
    socket.write(`HTTP/1.1 ${FORBIDDEN} Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    socket.destroySoon();
  } else {
    const [, response] = given as [unknown, ServerResponse];
    response.statusCode = FORBIDDEN;
    response.setHeader('Content-Type', 'application/json; charset=utf-8');
    response.end(body);
  }
}
