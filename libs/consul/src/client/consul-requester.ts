import { DiscoveryError, formatDuration, reasonOf, toMilliseconds } from '@rookery/discovery';
import type { ResolvedAgent } from './agent-options.js';
import { answerOf, type ConsulAnswer } from './consul-response.js';
import { ConsulError } from './consul-error.js';
import type { Lane } from './connection-budget.js';
import type { Transport, TransportAnswer, TransportCall } from './consul-transport.js';
import type { ConsulListOptions, ConsulReadOptions, ConsulRequestOptions } from './request-options.js';

export interface RequestParts {
  body?: unknown;
  /** Bytes to be sent as they are, instead of `body`. */
  bytes?: string | Uint8Array;
  query?: Readonly<Record<string, string | number | boolean | undefined>>;
  tags?: readonly string[];
  lane?: Lane;
  accept?: readonly number[];
  /** What the answer's JSON must be; anything else is not Consul's. */
  shape?: 'array' | 'object';
  /** Hash blocking: the `contentHash` of the last answer. */
  hash?: string;
}

const DEFAULT_WAIT_MS = 60_000;
const LONGEST_WAIT_MS = 600_000;
/** For what is on the way, and for an agent that is slow to answer. */
const GRACE_MS = 5_000;

/** Turns typed calls into requests, and answers into typed bodies; the endpoints of the API stand on it. */
export class ConsulRequester {
  readonly #transport: Transport;
  readonly #agent: Pick<ResolvedAgent, 'datacenter' | 'namespace' | 'partition' | 'timeoutMs'>;

  constructor(transport: Transport, agent: ResolvedAgent) {
    this.#transport = transport;
    this.#agent = agent;
  }

  /** A request whose answer is JSON. */
  async json<T>(
    method: TransportCall['method'],
    path: string,
    options: ConsulListOptions = {},
    parts: RequestParts = {},
  ): Promise<ConsulAnswer<T>> {
    const answer = await this.raw(method, path, options, parts);
    // The type is Consul's promise; what a decision rests on is checked where it is used.
    const body = parseJson(answer, `${method} ${path}`, parts.shape);
    return answerOf(body as T, answer.headers);
  }

  /** A request whose answer's body says nothing. */
  async nothing(
    method: TransportCall['method'],
    path: string,
    options: ConsulRequestOptions = {},
    parts: RequestParts = {},
  ): Promise<void> {
    await this.raw(method, path, options, parts);
  }

  async raw(
    method: TransportCall['method'],
    path: string,
    options: ConsulListOptions = {},
    parts: RequestParts = {},
  ): Promise<TransportAnswer> {
    const waitMs = this.#waitMs(options, parts);
    return this.#transport.send({
      method,
      path,
      query: this.#query(options, parts, waitMs),
      body: parts.bytes ?? (parts.body === undefined ? undefined : JSON.stringify(parts.body)),
      lane: parts.lane ?? (waitMs === undefined ? 'plain' : 'watch'),
      deadlineMs: this.#deadlineMs(options, waitMs),
      signal: options.signal,
      token: options.token,
      accept: parts.accept ?? [],
    });
  }

  /** Undefined when the request does not block. */
  #waitMs(options: ConsulReadOptions, parts: RequestParts): number | undefined {
    if (options.index === undefined && parts.hash === undefined) return undefined;
    const waitMs = toMilliseconds(options.wait ?? DEFAULT_WAIT_MS, 'wait');
    // Consul takes 0 for its default of five minutes, and cuts what is longer than ten.
    if (waitMs >= 1 && waitMs <= LONGEST_WAIT_MS) return waitMs;
    throw new DiscoveryError('RK_INVALID_ARGUMENT', `wait: ${String(options.wait)} cannot be waited`, {
      hint: 'Use 1 ms to 10 m',
    });
  }

  /** Consul adds up to a sixteenth to `wait`, so that clients do not come back together. */
  #deadlineMs(options: ConsulRequestOptions, waitMs: number | undefined): number {
    if (options.timeout !== undefined) return toMilliseconds(options.timeout, 'timeout');
    return waitMs === undefined ? this.#agent.timeoutMs : waitMs + waitMs / 16 + GRACE_MS;
  }

  #query(options: ConsulListOptions, parts: RequestParts, waitMs: number | undefined): URLSearchParams {
    const query = new URLSearchParams();
    const set = (name: string, value: string | number | boolean | undefined): void => {
      if (value !== undefined) query.set(name, String(value));
    };
    for (const [name, value] of Object.entries(parts.query ?? {})) set(name, value);
    for (const tag of parts.tags ?? []) query.append('tag', tag);
    set('dc', options.datacenter ?? this.#agent.datacenter);
    set('ns', options.namespace ?? this.#agent.namespace);
    set('partition', options.partition ?? this.#agent.partition);
    set('index', options.index);
    set('hash', parts.hash);
    set('filter', options.filter);
    if (waitMs !== undefined) set('wait', formatDuration(waitMs));
    if (options.consistency !== undefined && options.consistency !== 'default')
      query.set(options.consistency, '');
    return query;
  }
}

/** @throws ConsulError `RK_REGISTRY_BAD_ANSWER` when it is not JSON */
export function parseJson(answer: TransportAnswer, request: string, shape?: 'array' | 'object'): unknown {
  const refuse = (reason: string): ConsulError =>
    new ConsulError('RK_REGISTRY_BAD_ANSWER', `${request} → ${answer.status}, but ${reason}`, {
      status: answer.status,
      retryable: true,
      hint: 'Something other than Consul may be answering at this address',
    });
  let body: unknown;
  try {
    body = JSON.parse(answer.body.toString('utf8'));
  } catch (error) {
    throw refuse(reasonOf(error));
  }
  const found = Array.isArray(body)
    ? 'array'
    : typeof body === 'object' && body !== null
      ? 'object'
      : 'other';
  if (shape !== undefined && found !== shape) throw refuse(`it is no ${shape}`);
  return body;
}

/** One segment of a path. */
export function segment(value: string, field: string): string {
  if (value !== '' && value !== '.' && value !== '..') return encodeURIComponent(value);
  throw new DiscoveryError(
    'RK_INVALID_ARGUMENT',
    `${field}: ${JSON.stringify(value)} cannot be part of a path`,
    {
      hint: 'It must not be empty, "." or ".."',
    },
  );
}
