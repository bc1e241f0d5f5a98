import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { gzip } from 'node:zlib';
import { promisify } from 'node:util';
import type { Core, Endpoint } from '../core.js';
import type { Faults } from '../faults/faults.js';
import { renderJson } from '../json/render.js';
import { ApiError, badRequest } from './api-error.js';
import type { ApiReply } from './api-request.js';
import { resetSocket } from './reset-socket.js';

const compress = promisify(gzip);
const SMALLEST_GZIP_BYTES = 1_400;
const LARGEST_BODY_BYTES = 64 * 1024 * 1024;

/** The HTTP listener: routes paths like Go, and writes statuses and headers like Consul. */
export class ApiServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #endpoints: ReadonlyMap<string, Endpoint>;

  constructor(
    private readonly core: () => Core,
    endpoints: readonly Endpoint[],
    private readonly faults: Faults,
  ) {
    this.#endpoints = new Map(endpoints.map((endpoint) => [endpoint.path, endpoint]));
    this.#server = createServer(
      { keepAliveTimeout: 0, requestTimeout: 0, maxHeaderSize: 1024 * 1024 },
      (request, response) => {
        this.#answer(request, response).catch(() => response.destroy());
      },
    );
    this.#server.on('connection', (socket) => {
      if (!this.faults.accept(socket, this.#sockets.size)) return;
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      socket.on('error', () => undefined); // a reset by a client needs no reaction
    });
  }

  /** @param at a host and a port, or the path of a Unix socket @returns the port; of a socket there is none */
  async listen(at: { host: string; port: number } | { path: string }): Promise<number | undefined> {
    this.#server.listen(at);
    await once(this.#server, 'listening');
    const address = this.#server.address();
    return typeof address === 'object' ? address?.port : undefined;
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Resets every connection, as when the agent is killed. */
  resetAll(): void {
    for (const socket of this.#sockets) resetSocket(socket);
  }

  get connections(): number {
    return this.#sockets.size;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request);
    const method = request.method ?? 'GET';
    const [rawPath, rawQuery] = splitUrl(request.url ?? '/');
    if (!(await this.faults.handle(rawPath, request, response))) return;
    const path = decodePath(rawPath);
    if (path === undefined) {
      send(response, 400, {}, Buffer.alloc(0));
      return;
    }
    const redirect = this.#redirect(path);
    if (redirect !== undefined) {
      const location = encodePath(redirect) + (rawQuery ? `?${rawQuery}` : '');
      const html =
        method === 'GET' || method === 'HEAD' ? `<a href="${location}">Moved Permanently</a>.\n\n` : '';
      send(
        response,
        301,
        { Location: location, ...(html ? { 'Content-Type': 'text/html; charset=utf-8' } : {}) },
        Buffer.from(html),
      );
      return;
    }
    const found = this.#find(path);
    if (!found) {
      send(response, 404, {}, Buffer.alloc(0));
      return;
    }
    const query = new URLSearchParams(rawQuery);
    const reply = await this.#reply(found.endpoint, {
      method,
      rest: found.rest,
      query,
      headers: request.headers,
      body,
      // Plain listeners: an AbortSignal for each of thousands of blocked reads would dominate their cost.
      onGone: (callback) => {
        if (response.destroyed) callback();
        response.once('close', callback);
        return () => response.removeListener('close', callback);
      },
    });
    const indent = query.has('pretty');
    const bytes =
      reply.bytes ??
      Buffer.from(reply.text ?? (reply.json === undefined ? '' : renderJson(reply.json, indent)));
    const headers: Record<string, string> = {
      Vary: 'Accept-Encoding',
      ...(reply.json === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...(reply.text === undefined ? {} : { 'Content-Type': 'text/plain; charset=utf-8' }),
      ...(this.core().options.compatibility === 'latest'
        ? { 'X-Consul-Default-Acl-Policy': aclDefault(this.core()) }
        : {}),
      ...reply.headers,
    };
    if (this.faults.garble && reply.json !== undefined) {
      send(response, 200, headers, Buffer.from('{"garbage'));
    } else if (
      bytes.length > SMALLEST_GZIP_BYTES &&
      /\bgzip\b/.test(request.headers['accept-encoding'] ?? '')
    ) {
      send(response, reply.status ?? 200, { ...headers, 'Content-Encoding': 'gzip' }, await compress(bytes));
    } else send(response, reply.status ?? 200, headers, bytes);
  }

  async #reply(
    endpoint: Endpoint,
    request: Parameters<NonNullable<Endpoint['methods'][string]>>[1],
  ): Promise<ApiReply> {
    const allowed = ['OPTIONS', ...Object.keys(endpoint.methods)].join(',');
    if (request.method === 'OPTIONS') return { headers: { Allow: allowed } };
    const handle = endpoint.methods[request.method];
    if (!handle)
      return { status: 405, headers: { Allow: allowed }, text: `method ${request.method} not allowed` };
    try {
      if (request.query.get('ns') && !endpoint.ignoresNamespace) throw badRequest(NO_NAMESPACES);
      return await handle(this.core(), request);
    } catch (error) {
      if (error instanceof ApiError) {
        return {
          status: error.status,
          text: error.message,
          headers: error.fromServers ? FROM_SERVERS : {},
        };
      }
      return {
        status: 500,
        text: `embedded-consul: ${error instanceof Error ? error.message : String(error)}`,
      };
    }
  }

  /** Paths are cleaned, and a folder without its slash is moved to the one with it: Go's router redirects to both. */
  #redirect(path: string): string | undefined {
    const clean = cleanPath(path);
    if (clean !== path) return clean;
    return !this.#endpoints.has(path) && this.#endpoints.has(`${path}/`) ? `${path}/` : undefined;
  }

  #find(path: string): { endpoint: Endpoint; rest: string } | undefined {
    const exact = this.#endpoints.get(path);
    if (exact) return { endpoint: exact, rest: '' };
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
      const endpoint = this.#endpoints.get(path.slice(0, at + 1));
      if (endpoint) return { endpoint, rest: path.slice(at + 1) };
    }
    return undefined;
  }
}

/** The index of a failed read of the servers: not one to block on. */
const FROM_SERVERS = { 'X-Consul-Index': '1', 'X-Consul-Knownleader': 'false', 'X-Consul-Lastcontact': '0' };
const NO_NAMESPACES =
  'Bad request: Invalid query parameter: "ns" - Namespaces are a Consul Enterprise feature';

function splitUrl(url: string): [string, string] {
  const at = url.indexOf('?');
  return at < 0 ? [url, ''] : [url.slice(0, at), url.slice(at + 1)];
}

function decodePath(path: string): string | undefined {
  try {
    const decoded = decodeURIComponent(path);
    // eslint-disable-next-line no-control-regex -- they are what Consul refuses
    return /[\u0000-\u001f\u007f]/.test(decoded) ? undefined : decoded;
  } catch {
    return undefined;
  }
}

function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}

function aclDefault({ acl }: Core): string {
  return acl.enabled ? acl.options.defaultPolicy : 'allow';
}

/** Go's path.Clean, with the slash at the end kept. */
function cleanPath(path: string): string {
  const kept: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') kept.pop();
    else kept.push(part);
  }
  const clean = `/${kept.join('/')}`;
  return path.endsWith('/') && clean !== '/' ? `${clean}/` : clean;
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LARGEST_BODY_BYTES) throw new Error('body too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function send(response: ServerResponse, status: number, headers: Record<string, string>, body: Buffer): void {
  if (response.destroyed) return;
  response.writeHead(status, { ...headers, 'Content-Length': body.length });
  response.end(body);
}
