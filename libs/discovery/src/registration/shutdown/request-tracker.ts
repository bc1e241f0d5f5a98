import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { LoggerService } from '@nestjs/common';
import { delay, type Clock } from '../../timing/clock.js';
import { onResponseEnd } from '../../receiving/response-end.js';
import { OpenConnections } from './open-connections.js';

/** Callers count as having stopped after this many intervals without a request. */
const INTERVAL_MS = 200;
const QUIET_INTERVALS = 5;
/** An app that was never called only waits for a first call that may be in flight. */
const QUIET_INTERVALS_UNCALLED = 1;

/** Tracks the requests of an HTTP server: which are in flight, and whether new ones still arrive. */
export class RequestTracker {
  readonly #server: Server;
  readonly #clock: Clock;
  readonly #isProbe: (url: string) => boolean;
  readonly #connections: OpenConnections;
  readonly #inFlight = new Set<ServerResponse>();
  #onIdle: (() => void)[] = [];
  #arrived = 0;
  #isDraining = false;

  /** @param isProbe whether a request is a health check, which goes on during a drain */
  constructor(server: Server, clock: Clock, isProbe: (url: string) => boolean) {
    this.#server = server;
    this.#clock = clock;
    this.#isProbe = isProbe;
    this.#connections = new OpenConnections(server);
    // Before the framework's listener, which may answer synchronously.
    server.prependListener('request', this.#onRequest);
  }

  release(): void {
    this.#server.removeListener('request', this.#onRequest);
    this.#connections.release();
  }

  get inFlight(): number {
    return this.#inFlight.size;
  }

  /**
   * From now on each response closes its connection, so that keep-alive clients are not left with a socket that is closed
   * under their next request (RFC 9112, 9.6). New connections are still accepted.
   */
  drain(): void {
    this.#isDraining = true;
    for (const response of this.#inFlight) closeAfter(response);
  }

  resume(): void {
    this.#isDraining = false;
  }

  /** Resolves when no request has arrived for a while; rejects when the signal aborts. */
  async untilQuiet(signal: AbortSignal): Promise<void> {
    const needed = this.#arrived === 0 ? QUIET_INTERVALS_UNCALLED : QUIET_INTERVALS;
    for (let quiet = 0; quiet < needed;) {
      const before = this.#arrived;
      await delay(this.#clock, INTERVAL_MS, signal);
      quiet = this.#arrived === before ? quiet + 1 : 0;
    }
  }

  /** Accepts no new connections, and closes idle ones. */
  stopListening(): void {
    if (this.#server.listening) this.#server.close();
    this.#connections.closeSessions();
  }

  /** Destroys every connection, with or without a request in flight. */
  destroyConnections(): void {
    this.#connections.destroyAll();
  }

  /**
   * Closes the connections of HTTP/1, none of which has a request in flight: Node would wait for a client that sends no request,
   * or half of one. What is left, WebSockets and sessions of HTTP/2, is up to the app for a while: its gateways close them.
   */
  closeRemaining(withinMs: number, logger: LoggerService): void {
    this.#connections.closeHttp();
    const { count } = this.#connections;
    if (count === 0) return;
    logger.log(`connections still open: ${count}; closing them in at most ${withinMs} ms`);
    const cancel = this.#clock.after(withinMs, () => this.#connections.destroyAll());
    this.#server.once('close', cancel);
  }

  /** Resolves when no request is in flight. */
  untilIdle(): Promise<void> {
    if (this.#inFlight.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onIdle.push(resolve));
  }

  readonly #onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    if (!this.#isProbe(request.url ?? '')) this.#arrived++;
    this.#inFlight.add(response);
    if (this.#isDraining) closeAfter(response);
    onResponseEnd(request, response, () => {
      this.#inFlight.delete(response);
      if (this.#inFlight.size > 0) return;
      for (const resolve of this.#onIdle.splice(0)) resolve();
    });
  };
}

/** Sends `Connection: close` with the response. */
function closeAfter(response: ServerResponse): void {
  if (!response.headersSent) response.shouldKeepAlive = false;
}
