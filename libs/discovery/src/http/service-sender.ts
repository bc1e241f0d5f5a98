import { Readable } from 'node:stream';
import { AxiosError, AxiosHeaders, type AxiosResponse, type InternalAxiosRequestConfig } from 'axios';
import { isInstrumented } from '../calling/instrumentation.js';
import { CallError } from '../calling/call-error.js';
import { assertCallOptions } from '../calling/options/assert-call-options.js';
import type { Fallback, TransportOptions } from '../calling/options/call-options.js';
import { httpDefaultsShape, type HttpDefaults } from '../calling/options/http-options.js';
import { isIdempotent } from '../calling/idempotent-methods.js';
import { parsedResponseInfo, type HttpResponseInfo } from '../calling/response-info.js';
import type { ServiceCaller } from '../calling/service-caller.js';
import type { HttpConnections } from './http-connections.js';
import { asAxiosError, statusError } from './request-errors.js';
import { optionBeyondUndici } from './request/known-options.js';
import { isStream, isUnread } from './request/request-body.js';
import { splitOptions, type OwnOptions } from './request/split-options.js';
import type { ServiceClientOptions } from './service-client.options.js';
import { ServiceRequest, type ResponseTransform } from './service-request.js';

const HTTP_OPTIONS = Object.keys(httpDefaultsShape);

/**
 * Sends the requests of one client to the instances of its service.
 *
 * The path of a call, after interceptors and defaults: here; `calling/service-caller.ts` (options, deadline), which runs it
 * through `calling/admission.ts` (circuit breaker, bulkhead); `calling/service-call.ts` (the list from memory, a pick from
 * `balancing/target-pool.ts` for each attempt, retries, hedging); `calling/running-attempt.ts` (the limit of one attempt); and
 * `undici-exchange.ts` on a pool of `http-connections.ts` (or `axios-exchange.ts`), to the socket.
 */
export class ServiceSender {
  readonly #service: string;
  readonly #caller: ServiceCaller;
  readonly #connections: HttpConnections;
  readonly #http: HttpDefaults;
  readonly #call: OwnOptions;
  #isAsserted = false;

  constructor(
    service: string,
    options: ServiceClientOptions,
    caller: ServiceCaller,
    connections: HttpConnections,
  ) {
    this.#service = service;
    this.#caller = caller;
    this.#connections = connections;
    ({ http: this.#http, call: this.#call } = splitOptions(options));
  }

  /**
   * Sends a request whose data is transformed.
   *
   * @param isKnown our transport implements all of its options
   * @param transform of the response, that of an error too
   */
  send(
    config: InternalAxiosRequestConfig,
    isKnown: boolean,
    transform: ResponseTransform,
  ): Promise<AxiosResponse> {
    const request = new ServiceRequest(this.#service, config, transform);
    try {
      const { http, call } = this.#optionsOf(config);
      const settings = this.#caller.httpSettings(this.#service, http);
      const beyond = isKnown ? undefined : optionBeyondUndici(config);
      const transport = request.transport(settings, this.#connections, beyond);
      const options = this.#callOptions(config, call);
      options.signal = request.signal;
      options.request = request;
      return request.settle(this.#caller.send(this.#service, transport, options, this.#call));
    } catch (error) {
      return Promise.reject(request.failure(error));
    }
  }

  /** The options of the request, apart by what uses them. */
  #optionsOf(config: InternalAxiosRequestConfig): { http: HttpDefaults; call: OwnOptions } {
    const { call: own, timeout } = config;
    if (!this.#isAsserted) {
      assertCallOptions(this.#call, HTTP_OPTIONS);
      this.#isAsserted = true;
    }
    if (!own && !timeout) return { http: this.#http, call: NO_OPTIONS };
    const limitMs = timeout === undefined ? 0 : timeoutMs(timeout, config);
    if (own) assertCallOptions(own, HTTP_OPTIONS);
    const { http, call } = splitOptions(own ?? {});
    return {
      http: own ? { ...this.#http, ...http } : this.#http,
      // In axios, `timeout` limits the whole request, and 0 means none: then the default applies.
      call: limitMs ? { timeout: limitMs, attemptTimeout: limitMs, ...call } : call,
    };
  }

  #callOptions(
    config: InternalAxiosRequestConfig,
    own: OwnOptions,
  ): TransportOptions<AxiosResponse> & Fallback<AxiosResponse> {
    const { idempotent, query } = this.#call;
    const isReadOnce = isStream(config.data);
    const options: TransportOptions<AxiosResponse> & Fallback<AxiosResponse> = {
      idempotent: idempotent ?? isIdempotent(config.method),
      replayableBody: !isReadOnce,
      readResponse,
      discardResponse,
      usesAsyncContext: isInstrumented,
    };
    if (own !== NO_OPTIONS) Object.assign(options, own);
    if (query && options.query === undefined) options.query = query;
    if (isReadOnce) options.isBodyUnread = () => isUnread(config.data);
    const { fallback } = own;
    if (fallback)
      options.fallback = async (error, last) => {
        const axiosError = last ? statusError(last) : asAxiosError(error, config);
        if (error instanceof CallError) axiosError.call = error.call;
        return fallbackResponse(await fallback(axiosError), config);
      };
    return options;
  }
}

const NO_OPTIONS: OwnOptions = {};

/** As axios reads it: as an integer, whatever its type. */
function timeoutMs(timeout: number, config: InternalAxiosRequestConfig): number {
  const milliseconds = Number.parseInt(String(timeout), 10);
  if (!Number.isNaN(milliseconds)) return milliseconds;
  const message = 'error trying to parse `config.timeout` to int';
  throw new AxiosError(message, AxiosError.ERR_BAD_OPTION_VALUE, config);
}

function readResponse({ status, headers }: AxiosResponse): HttpResponseInfo {
  return parsedResponseInfo(status, headers);
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
