import type { IncomingHttpHeaders } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import {
  abortable,
  abortReason,
  DiscoveryError,
  reasonOf,
  systemClock,
  type Clock,
} from '@rookery/discovery';
import { Pool } from 'undici';
import type { ResolvedAgent } from './agent-options.js';
import { errorOfAnswer } from './classify-response.js';
import { shareConnections, type ConnectionBudget, type Lane } from './connection-budget.js';
import { ConsulError } from './consul-error.js';
import { Turns } from './request-queue.js';

const CONNECT_TIMEOUT_MS = 2_000;
/** What undici gives as the reason for closing a socket that was idle, or whose request we aborted. */
const IDLE_CLOSED = 'UND_ERR_INFO';
const LARGEST_ANSWER_BYTES = 64 * 1024 * 1024;

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
  /** Statuses that are answers, not errors, besides 2xx. */
  readonly accept: readonly number[];
}

export interface TransportAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Carries requests to where they are answered. */
export interface Transport {
  /** For messages; holds no secret. */
  readonly url: string;
  readonly budget: ConnectionBudget;
  /** How many connections have ended: whoever carries a position in the agent's state over this has to begin anew. */
  readonly lostConnections: number;
  send(call: TransportCall): Promise<TransportAnswer>;
  close(): Promise<void>;
}

const unzip = promisify(gunzip);

/** Carries requests to one agent: connections, deadline, token. It knows nothing of what they mean. */
export class ConsulTransport implements Transport {
  readonly budget: ConnectionBudget;
  readonly #zips: boolean;
  readonly #agent: ResolvedAgent;
  readonly #clock: Clock;
  readonly #pools = new Map<Lane, Pool>();
  readonly #lanes = new Map<Lane, Turns>();
  #closed = false;
  #lostConnections = 0;
  #announcedCloses = 0;

  constructor(agent: ResolvedAgent, clock: Clock = systemClock) {
    this.#agent = agent;
    this.#clock = clock;
    this.budget = shareConnections(agent.maxConnections);
    // On one host it takes as long as it saves; over a network a list is a twentieth of its size.
    const { host } = agent.address;
    this.#zips = host !== undefined && !/^(localhost|127\.|::1$)/.test(host);
  }

  get url(): string {
    const { origin, socketPath } = this.#agent.address;
    return socketPath === undefined ? origin : `unix://${socketPath}`;
  }

  get lostConnections(): number {
    return this.#lostConnections;
  }

  async send(call: TransportCall): Promise<TransportAnswer> {
    const request = `${call.method} ${this.url}${call.path}`;
    const turn = this.#turns(call.lane);
    await turn.take(call.signal);
    try {
      const answer = await this.#inTime(call, request, (signal) => this.#authorized(call, request, signal));
      if ((answer.status >= 200 && answer.status < 300) || call.accept.includes(answer.status)) return answer;
      const retryAfter = answer.headers['retry-after'];
      throw errorOfAnswer(request, answer.status, answer.body.toString('utf8'), retryAfter);
    } finally {
      turn.give();
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy()));
    this.#pools.clear();
  }

  /** The deadline holds for everything that the request takes, the token included. */
  async #inTime(
    call: TransportCall,
    request: string,
    work: (signal: AbortSignal) => Promise<TransportAnswer>,
  ): Promise<TransportAnswer> {
    const aborting = new AbortController();
    const late = new ConsulError(
      'RK_REGISTRY_TIMEOUT',
      `${request}: no answer in ${Math.round(call.deadlineMs)} ms`,
      {
        retryable: true,
        hint: 'The agent took the connection and is silent: it is overloaded, frozen, or cut off from its servers',
      },
    );
    const cancel = this.#clock.after(call.deadlineMs, () => aborting.abort(late));
    const onAbort = (): void => {
      if (call.signal) aborting.abort(abortReason(call.signal));
    };
    if (call.signal?.aborted) onAbort();
    call.signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await abortable(work(aborting.signal), aborting.signal);
    } finally {
      cancel();
      call.signal?.removeEventListener('abort', onAbort);
    }
  }

  /** A token that is refused may have been rotated: it is fetched again, and another one is tried once. */
  async #authorized(call: TransportCall, request: string, signal: AbortSignal): Promise<TransportAnswer> {
    const own = call.token === undefined;
    const used = own ? await this.#agent.token.current() : undefined;
    const answer = await this.#exchange(call, request, used?.reveal() ?? call.token, signal);
    if (answer.status !== 403 || !own || !(await this.#agent.token.refused(used))) return answer;
    const next = await this.#agent.token.current();
    return this.#exchange(call, request, next?.reveal(), signal);
  }

  async #exchange(
    call: TransportCall,
    request: string,
    token: string | undefined,
    signal: AbortSignal,
  ): Promise<TransportAnswer> {
    try {
      return await this.#sendOnce(call, token, signal);
    } catch (error) {
      // A blocking query is never repeated with its index: the agent may have lost its state in between.
      const repeatable = call.method === 'GET' && call.lane === 'plain';
      if (!isStaleSocket(error) || !repeatable || signal.aborted)
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
  ): Promise<TransportAnswer> {
    if (this.#closed) {
      throw new DiscoveryError('RK_REGISTRY_UNREACHABLE', 'the Consul client is closed', {
        hint: 'It was used after app.close()',
      });
    }
    const query = call.query.toString();
    const answer = await this.#pool(call.lane).request({
      method: call.method,
      path: query ? `${call.path}?${query}` : call.path,
      headers: this.#headers(token, call.method),
      body: call.body ?? null,
      signal,
      // Ours is the only deadline: undici's default of 5 minutes would end a long blocking query.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    // Announced: a peer that closes after each answer has not been restarted.
    if (answer.headers.connection === 'close') this.#announcedCloses++;
    const chunks: Buffer[] = [];
    for await (const chunk of answer.body as AsyncIterable<Buffer>) chunks.push(chunk);
    const [first] = chunks;
    const received = chunks.length === 1 && first ? first : Buffer.concat(chunks);
    const body =
      answer.headers['content-encoding'] === 'gzip'
        ? await unzip(received, { maxOutputLength: LARGEST_ANSWER_BYTES })
        : received;
    return { status: answer.statusCode, headers: answer.headers, body };
  }

  #headers(token: string | undefined, method: TransportCall['method']): Record<string, string> {
    const headers: Record<string, string> = {};
    if (this.#zips && method === 'GET') headers['accept-encoding'] = 'gzip';
    if (token) headers['x-consul-token'] = token;
    if (this.#agent.auth) {
      headers.authorization = `Basic ${Buffer.from(this.#agent.auth.reveal()).toString('base64')}`;
    }
    return headers;
  }

  #turns(lane: Lane): Turns {
    let turns = this.#lanes.get(lane);
    if (!turns) {
      turns = new Turns(this.budget[lane]);
      this.#lanes.set(lane, turns);
    }
    return turns;
  }

  #pool(lane: Lane): Pool {
    let pool = this.#pools.get(lane);
    if (!pool) {
      const { address, tls } = this.#agent;
      pool = new Pool(address.origin, {
        connections: this.budget[lane],
        pipelining: 1,
        maxResponseSize: LARGEST_ANSWER_BYTES,
        connect: {
          timeout: CONNECT_TIMEOUT_MS,
          keepAlive: true,
          rejectUnauthorized: tls.verify,
          ...(address.socketPath === undefined ? {} : { socketPath: address.socketPath }),
          ...(tls.ca ? { ca: tls.ca } : {}),
          ...(tls.cert ? { cert: tls.cert } : {}),
          ...(tls.key ? { key: tls.key.reveal() } : {}),
          ...(tls.serverName ? { servername: tls.serverName } : {}),
        },
      });
      pool.on('disconnect', (_origin, _targets, error) => {
        if (this.#announcedCloses > 0) {
          this.#announcedCloses--;
          return;
        }
        // Closed by ourselves, when it had been idle for a while: that says nothing of the agent.
        if ((error as { code?: string } | undefined)?.code !== IDLE_CLOSED) this.#lostConnections++;
      });
      this.#pools.set(lane, pool);
    }
    return pool;
  }

  #unreachable(request: string, error: unknown, signal: AbortSignal): Error {
    if (signal.aborted) return abortReason(signal);
    if (error instanceof DiscoveryError) return error;
    return new ConsulError('RK_REGISTRY_UNREACHABLE', `${request}: ${reasonOf(error)}`, {
      retryable: true,
      cause: error,
      hint: `Is a Consul agent listening at ${this.url}? See agent.url or CONSUL_HTTP_ADDR`,
    });
  }
}

/** The peer closed a kept-alive connection just as we used it: the pool has others, or opens one. */
function isStaleSocket(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE';
}
