import { Readable } from 'node:stream';
import axios, {
  AxiosError,
  AxiosHeaders,
  CanceledError,
  type AxiosAdapter,
  type AxiosResponse,
  type InternalAxiosRequestConfig,
} from 'axios';
import { CallError } from '../calling/call-error.js';
import { SERVICE_HEADER } from '../calling/call-headers.js';
import type { FallbackOptions, TransportOptions } from '../calling/options/call-options.js';
import type { HttpDefaults } from '../calling/options/http-options.js';
import type { AttemptContext } from '../calling/running-attempt.js';
import type { ServiceCaller } from '../calling/service-caller.js';
import type { HttpResponseInfo } from '../calling/response-info.js';
import { omitUndefined } from '../configuration/omit-undefined.js';
import { DiscoveryError } from '../errors/discovery-error.js';
import { isError } from '../errors/error-message.js';
import { CONTEXT_PATH_META, type ServiceInstance } from '../registry/service-instance.js';
import type { HttpConnections } from './http-connections.js';
import { makeInspectable } from './inspect-error.js';
import { sendOverUndici } from './undici-transport.js';
import { needsAxiosTransport, sendOverAxios } from './axios-transport.js';
import type { ServiceClientOptions, ServiceRequestOptions } from './service-client.options.js';

/**
 * An axios adapter that sends a request to an instance that the caller picks, instead of to a host.
 *
 * The path of a call, after axios's interceptors and defaults: this adapter; `calling/service-caller.ts` (options, deadline),
 * which runs it through `calling/admission.ts` (circuit breaker, bulkhead); `calling/service-call.ts` (the list from memory, a
 * pick from `balancing/target-pool.ts` for each attempt, retries, hedging); `calling/running-attempt.ts` (the limit of one
 * attempt); and back here, `undici-transport.ts` on a pool of `http-connections.ts` (or `axios-transport.ts`), to the socket.
 */
export function createBalancedAdapter(
  service: string,
  defaults: ServiceClientOptions,
  caller: ServiceCaller,
  connections: HttpConnections,
): AxiosAdapter {
  return async (config) => {
    const path = relativePath(service, config);
    const send = needsAxiosTransport(config) ? sendOverAxios : sendOverUndici;
    const cancellation = watchCancellation(config);
    try {
      const { http, call: callDefaults } = splitOptions(config, defaults);
      const settings = caller.httpSettings(service, http);
      const { value: response, call } = await caller.call(
        service,
        (instance: ServiceInstance, signal: AbortSignal, { headers }: AttemptContext) =>
          send({
            config,
            instance,
            path: settings.contextPath ? contextPathOf(instance) + path : path,
            signal,
            settings,
            headers,
            connections,
          }),
        callOptions(config, callDefaults, cancellation.signal),
      );
      return settle(Object.assign(response, { call }));
    } catch (error) {
      if (cancellation.signal.aborted) throw new CanceledError(undefined, config);
      const failed = asAxiosError(error, config);
      // Without an attempt: there was no instance, or the registry did not answer.
      failed.call ??= { service, attempts: [] };
      throw makeInspectable(failed, service);
    } finally {
      cancellation.release();
    }
  };
}

type OwnOptions = Omit<ServiceRequestOptions, keyof HttpDefaults>;

/** The options of the request over those of the client, apart by what uses them. */
function splitOptions(
  { call: own, timeout }: InternalAxiosRequestConfig,
  defaults: ServiceClientOptions,
): { http: HttpDefaults; call: OwnOptions } {
  const { maxContentLength, streamIdleTimeout, contextPath, ...call } = {
    ...omitUndefined(defaults),
    // In axios, `timeout` limits the whole request, and 0 means none: then the default applies.
    ...(timeout ? { timeout, attemptTimeout: timeout } : {}),
    ...omitUndefined<ServiceRequestOptions>(own ?? {}),
  };
  return { http: omitUndefined({ maxContentLength, streamIdleTimeout, contextPath }), call };
}

/** As Spring publishes it: `/api`, or `api/`; empty where there is none, or none that can precede a path. */
function contextPathOf({ meta }: ServiceInstance): string {
  const path = (meta[CONTEXT_PATH_META] ?? '').replace(/^\/+|\/+$/g, '');
  return path === '' || !CONTEXT_PATH.test(path) || path.split('/').includes('..') ? '' : `/${path}`;
}

/** Segments of a path (RFC 3986, 3.3). */
const CONTEXT_PATH = /^[\w.~%!$&'()*+,;=:@/-]+$/;

function callOptions(
  config: InternalAxiosRequestConfig,
  { fallback, ...call }: OwnOptions,
  signal: AbortSignal,
): TransportOptions<AxiosResponse> & FallbackOptions<AxiosResponse> {
  return {
    idempotent: IDEMPOTENT.has((config.method ?? 'get').toUpperCase()),
    ...call,
    signal,
    replayableBody: !isStream(config.data),
    readResponse,
    discardResponse,
    ...(fallback
      ? {
          fallback: async (error: Error, last?: AxiosResponse) => {
            const axiosError = last ? statusError(last) : asAxiosError(error, config);
            if (error instanceof CallError) axiosError.call = error.call;
            return fallbackResponse(await fallback(axiosError), config);
          },
        }
      : {}),
  };
}

/** RFC 9110, 9.2.2. */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'TRACE']);

function readResponse({ status, headers }: AxiosResponse): HttpResponseInfo {
  const { 'retry-after': retryAfter, [SERVICE_HEADER]: refusedBy } = headers as Record<string, unknown>;
  return {
    status,
    retryAfter: typeof retryAfter === 'string' ? retryAfter : undefined,
    isMisdirected: refusedBy !== undefined,
  };
}

/** A stream that is not read would keep its connection. */
function discardResponse({ data }: AxiosResponse): void {
  if (data instanceof Readable) data.on('error', () => undefined).destroy();
}

function fallbackResponse(data: unknown, config: InternalAxiosRequestConfig): AxiosResponse {
  return {
    data,
    status: 200,
    statusText: 'fallback',
    headers: new AxiosHeaders(),
    config,
    request: undefined,
  };
}

/** Readable streams, and bodies of the form-data package: they can be read only once. */
function isStream(data: unknown): boolean {
  return typeof (data as { pipe?: unknown } | null | undefined)?.pipe === 'function';
}

/** Path and query of the request. A URL with a host is rejected, because it would bypass the balancer. */
function relativePath(service: string, config: InternalAxiosRequestConfig): string {
  const absolute = [config.url, config.baseURL].find((url) => /^([a-z][a-z\d+.-]*:)?\/\//i.test(url ?? ''));
  if (absolute !== undefined) {
    const what = `"${absolute}" is not relative to the service "${service}"`;
    const cause = new DiscoveryError('RK_INVALID_ARGUMENT', what, {
      hint: 'Use a path such as /books; for other hosts inject HttpService without @ServiceClient',
    });
    throw AxiosError.from(cause, AxiosError.ERR_INVALID_URL, config);
  }
  // getUri joins baseURL, url and params as axios does, with the user's serializer.
  const path = axios.getUri({ ...config, baseURL: config.baseURL ?? '', url: config.url ?? '' });
  return path.startsWith('/') ? path : `/${path}`;
}

/** As axios's own adapters do. */
function settle<T extends AxiosResponse>(response: T): T {
  const { config, status } = response;
  if (!config.validateStatus || config.validateStatus(status)) return response;
  throw statusError(response);
}

function statusError(response: AxiosResponse): AxiosError {
  const { config, status, call } = response;
  const code = status >= 500 ? AxiosError.ERR_BAD_RESPONSE : AxiosError.ERR_BAD_REQUEST;
  const message = `Request failed with status code ${status}`;
  const error = new AxiosError(message, code, config, response.request, response);
  if (call) error.call = call;
  return error;
}

function asAxiosError(error: unknown, config: InternalAxiosRequestConfig): AxiosError {
  if (error instanceof AxiosError) return error;
  if (error instanceof CallError && error.cause instanceof AxiosError) {
    error.cause.call = error.call;
    return error.cause;
  }
  const known = isError(error) ? error : new Error(String(error));
  const wrapped = new AxiosError(known.message, axiosCode(known, config), config);
  wrapped.cause = known;
  if (known instanceof CallError) wrapped.call = known.call;
  return wrapped;
}

function axiosCode(error: Error, config: InternalAxiosRequestConfig): string {
  if (error instanceof DiscoveryError && error.code === 'RK_CALL_TIMEOUT') {
    return config.transitional?.clarifyTimeoutError ? AxiosError.ETIMEDOUT : AxiosError.ECONNABORTED;
  }
  const cause = error instanceof CallError ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
  if (cause?.code === 'UND_ERR_SOCKET') return 'ECONNRESET';
  if (cause?.code === 'UND_ERR_CONNECT_TIMEOUT') return AxiosError.ETIMEDOUT;
  if (cause?.code) return cause.code;
  return error instanceof DiscoveryError ? error.code : AxiosError.ERR_NETWORK;
}

/** One signal for both ways to cancel an axios request: `signal`, and the `cancelToken` of HttpService. */
function watchCancellation(config: InternalAxiosRequestConfig): { signal: AbortSignal; release: () => void } {
  const aborting = new AbortController();
  const abort = (): void => aborting.abort();
  const token = config.cancelToken as
    | { reason?: unknown; subscribe?: (f: () => void) => void; unsubscribe?: (f: () => void) => void }
    | undefined;
  if (config.signal?.aborted || token?.reason) abort();
  config.signal?.addEventListener?.('abort', abort);
  token?.subscribe?.(abort);
  return {
    signal: aborting.signal,
    release: () => {
      config.signal?.removeEventListener?.('abort', abort);
      token?.unsubscribe?.(abort);
    },
  };
}
