import {
  createServer,
  type IncomingHttpHeaders,
  type RequestListener,
  type Server as HttpServer,
} from 'node:http';
import { createServer as createTlsServer, type Server as HttpsServer, type ServerOptions } from 'node:https';
import type { AddressInfo, ListenOptions } from 'node:net';
import { Readable } from 'node:stream';
import type { AxiosInstance } from 'axios';
import type { ContractCase } from './case.js';

/** What came of a case: what its user got, and what the server saw. */
export interface Outcome {
  readonly result: unknown;
  readonly requests: readonly unknown[];
}

interface SeenRequest {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Answers the requests of cases, each below a path of its own. */
export class ContractServer {
  readonly #server: HttpServer | HttpsServer;
  readonly #cases: readonly ContractCase[];
  #seen: SeenRequest[] = [];

  private constructor(cases: readonly ContractCase[], tls: ServerOptions | undefined) {
    this.#cases = cases;
    const listener: RequestListener = (request, response) => {
      const chunks: Buffer[] = [];
      request.on('error', () => undefined);
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { method, url, headers } = request;
        const body = Buffer.concat(chunks);
        this.#seen.push({ method, url, headers, body: body.toString('latin1') });
        const found = this.#cases[Number(/^\/(\d+)/.exec(url ?? '')?.[1])];
        if (found?.handle) found.handle(request, response, body);
        else {
          response.setHeader('content-type', 'application/json');
          response.end('{"ok":true}');
        }
      });
    };
    this.#server = tls ? createTlsServer(tls, listener) : createServer(listener);
  }

  static async start(
    cases: readonly ContractCase[],
    { tls, ...at }: ListenOptions & { tls?: ServerOptions } = { host: '127.0.0.1', port: 0 },
  ): Promise<ContractServer> {
    const started = new ContractServer(cases, tls);
    await new Promise<void>((resolve) => started.#server.listen(at, resolve));
    return started;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async outcome(at: number, http: AxiosInstance): Promise<Outcome> {
    this.#seen = [];
    const result = await this.#cases[at]?.send(http, `/${at}`).then(described, describedError);
    return { result, requests: this.#seen.map(describedRequest) };
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Headers of the connection, and those of documented differences that every request shows. */
const UNCOMPARED = new Set([
  ...['host', 'connection', 'keep-alive', 'accept-encoding'],
  ...['rookery-timeout', 'rookery-service', 'rookery-address'],
]);

function describedRequest({ method, url, headers, body }: SeenRequest): unknown {
  const shown = Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => !UNCOMPARED.has(name))
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
  // The boundary of a form is random.
  const boundary = /boundary=([^;]+)/.exec(headers['content-type'] ?? '')?.[1];
  const text = JSON.stringify({ method, url, headers: shown, body });
  return JSON.parse(boundary === undefined ? text : text.replaceAll(boundary, 'BOUNDARY')) as unknown;
}

interface ResponseLike {
  readonly status: number;
  readonly statusText: string;
  readonly data: unknown;
  readonly headers: unknown;
  readonly config: Record<string, unknown>;
  readonly request: {
    readonly method?: string;
    readonly path?: string;
    readonly res?: { responseUrl?: string };
  };
}

async function described(value: unknown): Promise<unknown> {
  if (!isResponse(value)) return describedData(value);
  const { status, statusText, headers, config, request } = value;
  return {
    status,
    statusText,
    headers: describedHeaders(headers),
    data: await describedData(value.data),
    config: describedConfig(config),
    method: request.method,
    // Without redirects, axios has none.
    responsePath: config.maxRedirects === 0 ? undefined : withoutOrigin(request.res?.responseUrl),
  };
}

function isResponse(value: unknown): value is ResponseLike {
  return typeof value === 'object' && value !== null && 'status' in value && 'config' in value;
}

function withoutOrigin(url: string | undefined): string | undefined {
  return url?.replace(/^https?:\/\/[^/]+/, '');
}

function describedHeaders(headers: unknown): unknown {
  const {
    date: _,
    connection: __,
    'keep-alive': ___,
    ...rest
  } = { ...(headers as object) } as Record<string, unknown>;
  return { type: Object.prototype.toString.call(headers), values: rest };
}

function describedConfig({ method, url, params, responseType, headers }: Record<string, unknown>): unknown {
  const { 'Accept-Encoding': _, ...sent } = { ...(headers as object) } as Record<string, unknown>;
  const contentType = Object.entries(sent).find(([name]) => name.toLowerCase() === 'content-type')?.[1];
  // Its boundary is random.
  const names = Object.keys(sent)
    .map((name) => name.toLowerCase())
    .sort();
  return { method, url, params, responseType, contentType: String(contentType).split(';')[0], names };
}

async function describedData(data: unknown): Promise<unknown> {
  if (data instanceof Readable) {
    try {
      const chunks: Buffer[] = [];
      for await (const chunk of data as AsyncIterable<Buffer>) chunks.push(Buffer.from(chunk));
      return { stream: Buffer.concat(chunks).toString('latin1') };
    } catch (error) {
      return { brokenStream: (error as Error).name };
    }
  }
  if (Buffer.isBuffer(data)) return { buffer: data.toString('latin1') };
  if (data instanceof ArrayBuffer) return { arrayBuffer: Buffer.from(data).toString('latin1') };
  return { type: typeof data, data };
}

interface ErrorLike {
  readonly name?: string;
  readonly message?: string;
  readonly code?: string;
  readonly isAxiosError?: boolean;
  readonly request?: unknown;
  readonly response?: unknown;
  readonly config?: Record<string, unknown>;
  readonly __CANCEL__?: boolean;
}

async function describedError(error: unknown): Promise<unknown> {
  const { name, message, code, isAxiosError, request, response, config, __CANCEL__ } = (error ??
    {}) as ErrorLike;
  const isOfResponse = response !== undefined;
  return {
    error: name,
    // Of errors of the connection, the text is ours: it names the instances.
    message: isOfResponse || isAxiosError !== true ? message : undefined,
    code,
    isAxiosError: isAxiosError === true,
    isCancel: __CANCEL__ === true,
    hasRequest: request !== undefined && request !== null,
    method: config?.method,
    response: isOfResponse ? await described(response) : undefined,
  };
}
