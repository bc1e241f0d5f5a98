import { DiscoveryError } from '@rookery/discovery';
import { errorMessage, formatDuration, MAX_TIMER_MS, toMilliseconds } from '@rookery/discovery/adapter';
import type { ResolvedAgent } from './agent-options.js';
import { toConsulResponse, type ConsulResponse } from './consul-response.js';
import { ConsulError } from './consul-error.js';
import type { Lane } from './connection-budget.js';
import type { Transport, TransportResponse, TransportCall } from './consul-transport.js';
import type { ConsulListOptions, ConsulReadOptions, ConsulRequestOptions } from './request-options.js';

export interface RequestParts {
  body?: unknown;
  /** Sent as they are, instead of `body`. */
  bytes?: string | Uint8Array;
  query?: Readonly<Record<string, string | number | bigint | boolean | undefined>>;
  tags?: readonly string[];
  lane?: Lane;
  accept?: readonly number[];
  /** The type of the JSON in the response; any other is not Consul's. */
  shape?: 'array' | 'object';
  /** Default: false. */
  bindsToken?: boolean;
  /** For hash-based blocking: the `contentHash` of the last response. */
  hash?: string;
}

const DEFAULT_WAIT_MS = 60_000;
const MAX_WAIT_MS = 600_000;
/** For the network, and for a slow agent. */
const GRACE_MS = 5_000;

/** Converts typed calls to requests, and responses to typed bodies; all endpoints of the API use it. */
export class ConsulRequester {
  readonly #transport: Transport;
  readonly #agent: Pick<ResolvedAgent, 'datacenter' | 'namespace' | 'partition' | 'timeoutMs'>;

  constructor(transport: Transport, agent: ResolvedAgent) {
    this.#transport = transport;
    this.#agent = agent;
  }

  /** A request with a JSON response. */
  async json<T>(
    method: TransportCall['method'],
    path: string,
    options: ConsulListOptions = {},
    parts: RequestParts = {},
  ): Promise<ConsulResponse<T>> {
    const response = await this.raw(method, path, options, parts);
    // The type is what Consul documents; fields that decisions depend on are validated where they are used.
    const body = parseJson(response, `${method} ${path}`, parts.shape);
    return toConsulResponse(body as T, response.headers);
  }

  /** A request whose response body is ignored. */
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
  ): Promise<TransportResponse> {
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
      bindsToken: parts.bindsToken,
      accept: parts.accept ?? [],
    });
  }

  /** Undefined when the request does not block. */
  #waitMs(options: ConsulReadOptions, parts: RequestParts): number | undefined {
    if (options.index === undefined && parts.hash === undefined) return undefined;
    const waitMs = toMilliseconds(options.wait ?? DEFAULT_WAIT_MS, 'wait');
    // Consul reads 0 as its default of five minutes, and shortens what is longer than ten.
    if (waitMs >= 1 && waitMs <= MAX_WAIT_MS) return waitMs;
    throw new DiscoveryError('RK_INVALID_ARGUMENT', `wait: ${String(options.wait)} is out of range`, {
      hint: 'Use 1 ms to 10 m',
    });
  }

  /** Consul adds up to a sixteenth to `wait`, so that clients do not return together. */
  #deadlineMs(options: ConsulRequestOptions, waitMs: number | undefined): number {
    if (options.timeout !== undefined)
      return Math.min(toMilliseconds(options.timeout, 'timeout'), MAX_TIMER_MS);
    return waitMs === undefined ? this.#agent.timeoutMs : waitMs + waitMs / 16 + GRACE_MS;
  }

  #query(options: ConsulListOptions, parts: RequestParts, waitMs: number | undefined): URLSearchParams {
    const query = new URLSearchParams();
    const set = (name: string, value: string | number | bigint | boolean | undefined): void => {
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

/** @throws ConsulError `RK_REGISTRY_BAD_RESPONSE` when it is not JSON, or of another type */
export function parseJson(response: TransportResponse, request: string, shape?: 'array' | 'object'): unknown {
  const invalid = (reason: string): ConsulError => badResponse(request, response.status, reason);
  let body: unknown;
  try {
    body = JSON.parse(response.body.toString('utf8'));
  } catch (error) {
    throw invalid(errorMessage(error));
  }
  const found = Array.isArray(body)
    ? 'array'
    : typeof body === 'object' && body !== null
      ? 'object'
      : 'other';
  if (shape !== undefined && found !== shape) throw invalid(`the body is not an ${shape}`);
  return body;
}

/** @param request its method and what it asks for */
export function badResponse(request: string, status: number, reason: string): ConsulError {
  return new ConsulError('RK_REGISTRY_BAD_RESPONSE', `${request} → ${status}, but ${reason}`, {
    status,
    hint: 'Another server than Consul may be listening at this address',
  });
}

/** Encodes one segment of a path. */
export function segment(value: string, field: string): string {
  const isSegment = value !== '' && value !== '.' && value !== '..' && !/\p{Surrogate}/u.test(value);
  if (isSegment) return encodeURIComponent(value);
  throw new DiscoveryError(
    'RK_INVALID_ARGUMENT',
    `${field}: ${JSON.stringify(value)} cannot be part of a path`,
    {
      hint: 'It must not be empty, "." or "..", nor have half of a surrogate pair',
    },
  );
}
