import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface CheckServerOptions {
  /** Undefined: all interfaces. */
  readonly host: string | undefined;
  /** 0: one that is free. */
  readonly port: number;
  readonly isCheck: (request: IncomingMessage) => boolean;
}

/**
 * A plain HTTP server for the checks of an agent, which has no certificate of the mesh: it has the health endpoints of the app's server, and nothing else.
 */
export class CheckServer {
  readonly #server: Server;
  readonly #requests = new WeakSet();

  private constructor(app: Server, isCheck: CheckServerOptions['isCheck']) {
    this.#server = createServer((request, response) => {
      if (isCheck(request)) {
        this.#requests.add(request);
        app.emit('request', request, response);
        return;
      }
      response.statusCode = 404;
      response.end();
    });
  }

  /** @throws Error when the port is taken */
  static async listen(app: Server, { host, port, isCheck }: CheckServerOptions): Promise<CheckServer> {
    const checks = new CheckServer(app, isCheck);
    checks.#server.listen(port, host);
    await once(checks.#server, 'listening');
    // It keeps no process alive whose app has ended.
    checks.#server.unref();
    return checks;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The request came by this server. */
  has(request: object): boolean {
    return this.#requests.has(request);
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
