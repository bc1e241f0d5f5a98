import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { pause, type Clock } from '../../timing/clock.js';

/** How long callers must be quiet before it is believed that they know: so many intervals without a request. */
const INTERVAL_MS = 200;
const QUIET_INTERVALS = 5;
/** An app that nobody has called has nobody to wait for, but for one who is about to. */
const QUIET_INTERVALS_UNCALLED = 1;

/** Counts the requests of an HTTP server: which are under way, and whether new ones still come. */
export class ServedRequests {
  readonly #server: Server;
  readonly #clock: Clock;
  readonly #isProbe: (url: string) => boolean;
  readonly #underWay = new Set<ServerResponse>();
  #whenIdle: (() => void)[] = [];
  #arrived = 0;
  #isDraining = false;

  /** `isProbe`: of the registry and the like, which go on asking whatever happens. */
  constructor(server: Server, clock: Clock, isProbe: (url: string) => boolean) {
    this.#server = server;
    this.#clock = clock;
    this.#isProbe = isProbe;
    // Before the framework's own listener: it may answer at once.
    server.prependListener('request', this.#onRequest);
  }

  release(): void {
    this.#server.removeListener('request', this.#onRequest);
  }

  get underWay(): number {
    return this.#underWay.size;
  }

  /**
   * From now on each answer asks for its connection to be closed, so that keep-alive clients are not left with a socket
   * that dies under their next request (RFC 9112, 9.6). New connections are still taken.
   */
  drain(): void {
    this.#isDraining = true;
    for (const response of this.#underWay) askToClose(response);
  }

  resume(): void {
    this.#isDraining = false;
  }

  /** Resolves when no request has come for a while; rejects when the signal aborts. */
  async untilQuiet(signal: AbortSignal): Promise<void> {
    const needed = this.#arrived === 0 ? QUIET_INTERVALS_UNCALLED : QUIET_INTERVALS;
    for (let quiet = 0; quiet < needed;) {
      const before = this.#arrived;
      await pause(this.#clock, INTERVAL_MS, signal);
      quiet = this.#arrived === before ? quiet + 1 : 0;
    }
  }

  /** Takes no new connections, and closes those on which nothing is under way. */
  stopListening(): void {
    if (this.#server.listening) this.#server.close();
  }

  /** Ends every connection, whatever is under way on it. */
  closeConnections(): void {
    this.#server.closeAllConnections();
  }

  /** Resolves when every request has been answered. */
  untilIdle(): Promise<void> {
    if (this.#underWay.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  readonly #onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    if (!this.#isProbe(request.url ?? '')) this.#arrived++;
    this.#underWay.add(response);
    if (this.#isDraining) askToClose(response);
    response.once('close', () => {
      this.#underWay.delete(response);
      if (this.#underWay.size > 0) return;
      for (const resolve of this.#whenIdle.splice(0)) resolve();
    });
  };
}

function askToClose(response: ServerResponse): void {
  if (!response.headersSent) response.shouldKeepAlive = false;
}
