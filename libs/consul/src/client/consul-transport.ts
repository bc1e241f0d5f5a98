import type { IncomingHttpHeaders } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { type Certificates, DiscoveryError } from '@rookery/discovery';
import {
  abortReason,
  type Clock,
  errorMessage,
  systemClock,
  toTlsOptions,
  untraced,
  withAbort,
} from '@rookery/discovery/adapter';
import { buildConnector, Pool } from 'undici';
import { isOnThisHost } from './agent-address.js';
import type { ResolvedAgent } from './agent-options.js';
import { saysUnknownToken, toConsulError } from './classify-response.js';
import { BLOCKING, shareConnections, type ConnectionBudget, type Lane } from './connection-budget.js';
import { connectionHint } from './connection-hint.js';
import { ConsulError } from './consul-error.js';
import type { RequestListeners } from './request-listeners.js';
import { RequestQueue } from './request-queue.js';

const CONNECT_TIMEOUT_MS = 2_000;
/** undici's reason for closing a socket that was idle, or whose request was aborted. */
const IDLE_CLOSED = 'UND_ERR_INFO';
const MAX_RESPONSE_BYTES = 64 * 1024 * 1024;

export interface TransportCall {
  readonly method: 'GET' | 'PUT' | 'DELETE' | 'POST';
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: string | Uint8Array | undefined;
  readonly lane: Lane;
  readonly deadlineMs: number;
  readonly signal: AbortSignal | undefined;
  /** Overrides the client's own token. */
  readonly token: string | undefined;
  /** Only the latest token will do: the agent keeps it. */
  readonly bindsToken?: boolean | undefined;
  /** Statuses besides 2xx that are not errors. */
  readonly accept: readonly number[];
}

export interface TransportResponse {
  /** It was sent without a token. */
  readonly isAnonymous?: boolean;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Sends requests to an agent, or to one of several. */
export interface Transport {
  /** For messages; holds no secret. */
  readonly url: string;
  readonly budget: ConnectionBudget;
  /** How many connections have ended: a position in the agent's state is no longer valid after that. */
  readonly disconnects: number;
  send(call: TransportCall): Promise<TransportResponse>;
  close(): Promise<void>;
}

/** The connections of one lane; undici's `Pool` is one. */
export interface HttpPool {
  request(options: {
    method: TransportCall['method'];
    path: string;
    headers: Record<string, string>;
    body: string | Uint8Array | null;
    signal: AbortSignal;
    headersTimeout: number;
    bodyTimeout: number;
  }): Promise<{ statusCode: number; headers: IncomingHttpHeaders; body: AsyncIterable<Buffer> }>;
  destroy(): Promise<void>;
}

/** @param onDisconnect called with the reason of each connection that ended */
export type OpenPool = (connections: number, onDisconnect: (reason: unknown) => void) => HttpPool;

export interface TransportOptions {
  readonly clock?: Clock;
  /** Default: over sockets. */
  readonly openPool?: OpenPool | undefined;
  /** Default: as many as the agent's `maxConnections` allows. */
  readonly budget?: ConnectionBudget;
  /** Is told of each request. */
  readonly requests?: RequestListeners | undefined;
}

const unzip = promisify(gunzip);

/** Sends requests to one agent, with its connections, deadlines and token. It does not interpret them. */
export class ConsulTransport implements Transport {
  readonly budget: ConnectionBudget;
  readonly #compress: boolean;
  readonly #agent: ResolvedAgent;
  readonly #clock: Clock;
  readonly #requests: RequestListeners | undefined;
  readonly #openPool: OpenPool;
  readonly #pools = new Map<Lane, HttpPool>();
  readonly #queues = new Map<Lane, RequestQueue>();
  #connecting:
    | { readonly certificates: Certificates | undefined; readonly connect: buildConnector.connector }
    | undefined;
  #closed = false;
  #lostConnections = 0;
  #announcedCloses = 0;

  constructor(
    agent: ResolvedAgent,
    {
      clock = systemClock,
      budget = shareConnections(agent.maxConnections),
      requests,
      openPool = (connections, onDisconnect) => this.#openSockets(connections, onDisconnect),
    }: TransportOptions = {},
  ) {
    this.#openPool = openPool;
    this.#agent = agent;
    this.#requests = requests;
    this.#clock = clock;
    this.budget = budget;
    // On the same host compression costs as much time as it saves; over a network it reduces a list to a twentieth.
    const { host } = agent.address;
    this.#compress = host !== undefined && !isOnThisHost(host);
  }

  get url(): string {
    const { origin, pathPrefix, socketPath } = this.#agent.address;
    return socketPath === undefined ? origin + pathPrefix : `unix://${socketPath}`;
  }

  get disconnects(): number {
    return this.#lostConnections;
  }

  async send(call: TransportCall): Promise<TransportResponse> {
    if (!this.#requests?.isObserved) return this.#send(call);
    const startedAt = this.#clock.now();
    const ended = (status: number | undefined, error: unknown): void =>
      this.#requests?.ended(call, this.#clock.now() - startedAt, status, error);
    try {
      const response = await this.#send(call);
      ended(response.status, undefined);
      return response;
    } catch (error) {
      // One that is no longer wanted, such as a blocking query at the end of the app, has not failed.
      if (!call.signal?.aborted) ended(error instanceof ConsulError ? error.status : undefined, error);
      throw error;
    }
  }

  async #send(call: TransportCall): Promise<TransportResponse> {
    const request = `${call.method} ${this.url}${call.path}`;
    const queue = this.#queue(call.lane);
    await queue.acquire(call.signal);
    try {
      const response = await this.#withDeadline(call, request, (signal) =>
        this.#authorized(call, request, signal),
      );
      const { status, headers, body, isAnonymous = false } = response;
      if ((status >= 200 && status < 300) || call.accept.includes(status)) return response;
      const sent = { ...call, isAnonymous };
      throw toConsulError(request, status, body.toString('utf8'), headers['retry-after'], sent);
    } finally {
      queue.release();
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy()));
    this.#pools.clear();
  }

  /** The deadline includes fetching the token. */
  async #withDeadline(
    call: TransportCall,
    request: string,
    work: (signal: AbortSignal) => Promise<TransportResponse>,
  ): Promise<TransportResponse> {
    const aborting = new AbortController();
    const timeout = new ConsulError(
      'RK_REGISTRY_TIMEOUT',
      `${request}: no response in ${Math.round(call.deadlineMs)} ms`,
      { hint: 'The agent accepted the connection: it is overloaded, frozen, or cut off from its servers' },
    );
    const cancel = this.#clock.after(call.deadlineMs, () => aborting.abort(timeout));
    const onAbort = (): void => {
      if (call.signal) aborting.abort(abortReason(call.signal));
    };
    if (call.signal?.aborted) onAbort();
    call.signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await withAbort(work(aborting.signal), aborting.signal);
    } finally {
      cancel();
      call.signal?.removeEventListener('abort', onAbort);
    }
  }

  /** A token that is refused may have been rotated: it is fetched again, and a different one is tried once. */
  async #authorized(call: TransportCall, request: string, signal: AbortSignal): Promise<TransportResponse> {
    const isOwn = call.token === undefined;
    const used = isOwn ? await this.#agent.token.current() : undefined;
    const response = await this.#exchange(call, request, used?.reveal() ?? call.token, signal);
    if (response.status !== 403 || !isOwn) return response;
    const { token } = this.#agent;
    if (await token.refused(used, isUnknownToken(response))) {
      const next = await token.current();
      const retried = await this.#exchange(call, request, next?.reveal(), signal);
      return isUnknownToken(retried) ? this.#withPrevious(call, request, retried, signal) : retried;
    }
    return isUnknownToken(response) ? this.#withPrevious(call, request, response, signal) : response;
  }

  /** The agent does not know the new token yet. It is not asked to do more than the last one was allowed to. */
  async #withPrevious(
    call: TransportCall,
    request: string,
    refused: TransportResponse,
    signal: AbortSignal,
  ): Promise<TransportResponse> {
    const { previous } = this.#agent.token;
    if (!previous || call.bindsToken) return refused;
    const response = await this.#exchange(call, request, previous.reveal(), signal);
    return response.status === 403 ? refused : response;
  }

  async #exchange(
    call: TransportCall,
    request: string,
    token: string | undefined,
    signal: AbortSignal,
  ): Promise<TransportResponse> {
    try {
      return await this.#sendOnce(call, token, signal);
    } catch (error) {
      // A blocking query is never repeated with its index: the agent may have lost its state in between.
      const isRepeatable = call.method === 'GET' && call.lane === 'plain';
      if (!isStaleSocket(error) || !isRepeatable || signal.aborted)
        throw this.#unreachable(request, error, signal);
    }
    try {
      return await this.#sendOnce(call, token, signal);
    } catch (error) {
      throw this.#unreachable(request, error, signal);
    }
  }

  async #sendOnce(
    call: TransportCall,
    token: string | undefined,
    signal: AbortSignal,
  ): Promise<TransportResponse> {
    if (this.#closed) {
      throw new DiscoveryError('RK_REGISTRY_UNREACHABLE', 'the Consul client is closed', {
        hint: 'It was used after app.close()',
      });
    }
    const path = this.#agent.address.pathPrefix + call.path;
    const query = call.query.toString();
    const response = await untraced(!BLOCKING.has(call.lane), () =>
      this.#pool(call.lane).request({
        method: call.method,
        path: query ? `${path}?${query}` : path,
        headers: this.#headers(token, call.method),
        body: call.body ?? null,
        signal,
        // Only our deadline applies: undici's default of 5 minutes would end a long blocking query.
        headersTimeout: 0,
        bodyTimeout: 0,
      }),
    );
    // A peer that announces that it closes the connection has not been restarted.
    if (response.headers.connection === 'close') this.#announcedCloses++;
    const chunks: Buffer[] = [];
    for await (const chunk of response.body) chunks.push(chunk);
    const [first] = chunks;
    const received = chunks.length === 1 && first ? first : Buffer.concat(chunks);
    const body =
      response.headers['content-encoding'] === 'gzip'
        ? await unzip(received, { maxOutputLength: MAX_RESPONSE_BYTES })
        : received;
    return { status: response.statusCode, headers: response.headers, body, isAnonymous: !token };
  }

  #headers(token: string | undefined, method: TransportCall['method']): Record<string, string> {
    const headers: Record<string, string> = {};
    if (this.#compress && method === 'GET') headers['accept-encoding'] = 'gzip';
    if (token) headers['x-consul-token'] = token;
    if (this.#agent.auth) {
      headers.authorization = `Basic ${Buffer.from(this.#agent.auth.reveal()).toString('base64')}`;
    }
    return headers;
  }

  #queue(lane: Lane): RequestQueue {
    let queue = this.#queues.get(lane);
    if (!queue) this.#queues.set(lane, (queue = new RequestQueue(this.budget[lane])));
    return queue;
  }

  #pool(lane: Lane): HttpPool {
    let pool = this.#pools.get(lane);
    if (!pool) {
      pool = this.#openPool(this.budget[lane], (reason) => {
        if (this.#announcedCloses > 0) {
          this.#announcedCloses--;
          return;
        }
        // An idle connection that the pool itself closed says nothing about the agent.
        if ((reason as { code?: string } | undefined)?.code !== IDLE_CLOSED) this.#lostConnections++;
      });
      this.#pools.set(lane, pool);
    }
    return pool;
  }

  #openSockets(connections: number, onDisconnect: (reason: unknown) => void): HttpPool {
    const pool = new Pool(this.#agent.address.origin, {
      connections,
      pipelining: 1,
      maxResponseSize: MAX_RESPONSE_BYTES,
      connect: (options, done) => this.#connector()(options, done),
    });
    return pool.on('disconnect', (_origin, _targets, error) => onDisconnect(error));
  }

  /** With the present certificates: sessions of TLS are not resumed with those of before. */
  #connector(): buildConnector.connector {
    const { address, tls } = this.#agent;
    const certificates = tls.certificates?.current();
    const before = this.#connecting;
    if (before && before.certificates === certificates) return before.connect;
    const connect = buildConnector({
      timeout: CONNECT_TIMEOUT_MS,
      keepAlive: true,
      ...(address.socketPath === undefined ? {} : { socketPath: address.socketPath }),
      ...toTlsOptions(tls, certificates),
    });
    this.#connecting = { certificates, connect };
    return connect;
  }

  #unreachable(request: string, error: unknown, signal: AbortSignal): Error {
    if (signal.aborted) return abortReason(signal);
    if (error instanceof DiscoveryError) return error;
    // OpenSSL writes several lines.
    const [reason = ''] = errorMessage(error).split('\n');
    return new ConsulError('RK_REGISTRY_UNREACHABLE', `${request}: ${reason}`, {
      cause: error,
      hint: connectionHint(error, this.url, this.#agent),
    });
  }
}

/** The peer closed a keep-alive connection just when it was used: the pool has others, or opens one. */
function isStaleSocket(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE';
}

/** Not one that lacks a permission. */
function isUnknownToken({ status, body }: TransportResponse): boolean {
  return status === 403 && saysUnknownToken(body.toString('utf8'));
}
