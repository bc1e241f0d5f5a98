import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { requestTo } from '@rookery/test-support';

/**
 * What happens to a request. `reset`: its connection is reset. `hang`: it is never answered. `garbage`: 200 without
 * JSON. `drip`: headers, then a byte now and then. Else a response of the proxy's own, or Consul's, changed or delayed.
 */
export type Fault =
  | 'reset'
  | 'hang'
  | 'garbage'
  | 'drip'
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string }
  | { readonly edit: (body: string) => string }
  | { readonly delay: number };

export interface ProxiedRequest {
  readonly what: string;
  readonly at: number;
  /** Undefined: it is under way. */
  endedAt: number | undefined;
  /** How many bytes of the agent's response have arrived. */
  bytes: number;
}

/** A proxy before an agent that forwards requests, records them, and injects faults on demand. */
export class FaultProxy {
  readonly requests: ProxiedRequest[] = [];
  /** Called for every request; undefined forwards it unchanged. */
  fault: (path: string) => Fault | undefined = () => undefined;
  /** Connections stay open, and nothing passes in either direction. */
  isHalfOpen = false;
  readonly #server: Server;

  private constructor(target: string) {
    this.#server = createServer((incoming, outgoing) => {
      const path = incoming.url ?? '/';
      const proxied: ProxiedRequest = {
        ...{ what: `${incoming.method} ${path}`, at: performance.now(), endedAt: undefined, bytes: 0 },
      };
      this.requests.push(proxied);
      outgoing.once('close', () => (proxied.endedAt = performance.now()));
      void this.#handle(target, incoming, outgoing, proxied, this.fault(path));
    });
  }

  static async start(target: string): Promise<FaultProxy> {
    const proxy = new FaultProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Requests of this path that are not answered yet. */
  underWay(path: string): number {
    return this.requests.filter(
      ({ what, endedAt }) => endedAt === undefined && what.split(/[ ?]/)[1] === path,
    ).length;
  }

  /** Every connection is reset. */
  resetAll(): void {
    this.#server.closeAllConnections();
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(
    target: string,
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    proxied: ProxiedRequest,
    fault: Fault | undefined,
  ): Promise<void> {
    if (this.isHalfOpen || fault === 'hang') return;
    if (fault === 'reset') {
      incoming.socket.resetAndDestroy();
      return;
    }
    if (fault === 'garbage') {
      outgoing.end('<html>it works</html>');
      return;
    }
    if (fault === 'drip') {
      outgoing.writeHead(200, { 'X-Consul-Index': '7' });
      while (!outgoing.destroyed) {
        outgoing.write(' ');
        await sleep(200);
      }
      return;
    }
    if (fault && 'status' in fault) {
      outgoing.writeHead(fault.status, fault.headers).end(fault.body ?? '');
      return;
    }
    if (fault && 'delay' in fault) await sleep(fault.delay);
    const onward = requestTo(new URL(incoming.url ?? '/', target), incoming);
    onward.on('response', (answer) => {
      answer.on('data', (chunk: Buffer | string) => (proxied.bytes += chunk.length));
      if (fault && 'edit' in fault) {
        let body = '';
        answer.setEncoding('utf8');
        answer.on('data', (chunk: string) => (body += chunk));
        answer.on('end', () => {
          const { 'content-length': _, ...headers } = answer.headers;
          if (!this.isHalfOpen) outgoing.writeHead(answer.statusCode ?? 502, headers).end(fault.edit(body));
        });
        return;
      }
      if (this.isHalfOpen) return;
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.destroy());
    outgoing.on('close', () => onward.destroy());
    incoming.pipe(onward);
  }
}
