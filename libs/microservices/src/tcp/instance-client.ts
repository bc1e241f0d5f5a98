import { TLSSocket } from 'node:tls';
import { ClientTCP, type ReadPacket, type TcpSocket, type WritePacket } from '@nestjs/microservices';
import type { Certificates, ServiceInstance } from '@rookery/discovery';
import type { TlsSettings } from '@rookery/discovery/adapter';
import { NotSentError } from './not-sent-error.js';

/** What of Nest's options of a TCP client is the same for all instances. */
export type TcpConnectionOptions = Omit<
  NonNullable<ConstructorParameters<typeof ClientTCP>[0]>,
  'host' | 'port'
>;

/** As of HTTP clients. */
const CONNECT_MS = 1_000;
/** Nothing was heard for so long on a connection whose caller then gave up: it may be dead without a word. */
const SILENT_MS = 1_000;
/** A connection without calls is closed after this time. */
const IDLE_MS = 60_000;
/** A peer that hangs does not end its side. */
const CLOSE_MS = 1_000;
/** A peer that is gone without a word is found when nothing is sent. */
const KEEP_ALIVE_MS = 10_000;

/** What a connection was made with, and what becomes of it. */
export interface ConnectionSecurity {
  readonly tls: TlsSettings | undefined;
  readonly certificates: Certificates | undefined;
  /** There is no connection any more, and another one begins anew. */
  readonly onClosed: () => void;
}

type Answer = (packet: WritePacket) => void;

/** The connection to one instance: Nest's own client, which is asked for single packets. */
export class InstanceClient extends ClientTCP {
  readonly #security: ConnectionSecurity;
  #handshake: Promise<void> | undefined;
  #isRetired = false;
  #inFlight = 0;
  #idle: NodeJS.Timeout | undefined;
  #connecting: NodeJS.Timeout | undefined;

  constructor(
    { address, port }: ServiceInstance,
    options: TcpConnectionOptions,
    security: ConnectionSecurity,
  ) {
    super({ ...options, host: address, port });
    this.#security = security;
  }

  /** Nest counts a connection as one before its TLS handshake, so that a request would be lost with it. */
  override createSocket(): TcpSocket {
    const created = super.createSocket();
    const { netSocket } = created;
    this.#handshake = netSocket instanceof TLSSocket ? untilSecure(netSocket) : undefined;
    // It is looked at by the calls that wait for the connection.
    this.#handshake?.catch(() => undefined);
    return created;
  }

  isSecuredBy(tls: TlsSettings | undefined, certificates: Certificates | undefined): boolean {
    return this.#security.tls === tls && this.#security.certificates === certificates;
  }

  /** It takes no more calls. */
  get isRetired(): boolean {
    return this.#isRetired;
  }

  /** It ends with the calls that are under way; another one is used for those that follow. */
  retire(): void {
    this.#isRetired = true;
    if (this.#inFlight === 0) this.close();
  }

  /**
   * Sends a request.
   *
   * @param onAnswer called for each message of the response; the last one is disposed, or has an error
   * @param signal of an attempt that may end while it waits for the connection
   * @returns ends it
   * @throws Error of the connection, before anything was sent; the reason of the signal
   */
  async request(packet: ReadPacket, onAnswer: Answer, signal: AbortSignal): Promise<() => void> {
    this.#begin();
    try {
      await this.#connected();
      signal.throwIfAborted();
    } catch (error) {
      this.#end();
      throw error;
    }
    const isSilent = this.#silence();
    let isOver = false;
    const end = (): void => {
      if (!isOver) this.#end();
      isOver = true;
    };
    let forget = (): void => undefined;
    // A copy for each attempt: the id belongs to the connection.
    forget = this.publish({ ...packet }, (answer) => {
      if (answer.isDisposed === true || answer.err !== undefined) {
        end();
        forget();
      }
      onAnswer(answer);
    });
    return () => {
      // The next call gets another connection, and with it an error at once where there is nothing any more.
      if (!isOver && isSilent()) this.#isRetired = true;
      end();
      forget();
    };
  }

  /**
   * @param signal of an attempt that may end while it waits for the connection
   * @throws Error of the connection, before anything was sent; the reason of the signal
   */
  async event(packet: ReadPacket, signal: AbortSignal): Promise<void> {
    this.#begin();
    try {
      await this.#connected();
      signal.throwIfAborted();
      await this.dispatchEvent(packet);
    } finally {
      this.#end();
    }
  }

  override close(): void {
    clearTimeout(this.#idle);
    const netSocket = this.socket?.netSocket;
    super.close();
    if (!netSocket || netSocket.destroyed) return;
    const timer = setTimeout(() => netSocket.destroy(), CLOSE_MS).unref();
    netSocket.once('close', () => clearTimeout(timer));
  }

  /** The attempt that it failed tells of it: nothing is logged. An error of the framing ends the connection, too. */
  override handleError(): void {
    this.socket?.netSocket.destroy();
  }

  override handleClose(): void {
    clearTimeout(this.#idle);
    super.handleClose();
    this.#security.onClosed();
  }

  async #connected(): Promise<void> {
    const connecting = this.connect();
    // A client that is closed meanwhile has it no longer, and only asks it to end, which it does when it is connected.
    const { socket } = this;
    // All that wait for it get this error, by the socket's own event.
    this.#connecting ??= setTimeout(() => {
      socket?.netSocket.destroy(new NotSentError(`no connection within ${CONNECT_MS} ms`));
    }, CONNECT_MS);
    try {
      await connecting;
      await this.#handshake;
    } finally {
      clearTimeout(this.#connecting);
      this.#connecting = undefined;
    }
    // It may have ended at once.
    if (!this.socket) throw new NotSentError('the connection ended before anything was sent');
    this.socket.netSocket.setKeepAlive(true, KEEP_ALIVE_MS);
  }

  /** @returns whether nothing has been heard since now, for long */
  #silence(): () => boolean {
    const netSocket = this.socket?.netSocket;
    const bytesRead = netSocket?.bytesRead;
    const since = performance.now();
    return () => netSocket?.bytesRead === bytesRead && performance.now() - since >= SILENT_MS;
  }

  /** Those that wait for the connection count, too: it must not be closed under them. */
  #begin(): void {
    this.#inFlight++;
    clearTimeout(this.#idle);
  }

  #end(): void {
    if (--this.#inFlight > 0) return;
    if (this.#isRetired) {
      // Closing it tells the calls that it still knows, and this one's answer is not handed on yet.
      setImmediate(() => this.#inFlight === 0 && this.close());
      return;
    }
    this.#idle = setTimeout(() => this.close(), IDLE_MS).unref();
  }
}

function untilSecure(socket: TLSSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('secureConnect', resolve);
    socket.once('error', reject);
    socket.once('close', () => reject(new NotSentError('the connection ended during the TLS handshake')));
  });
}
