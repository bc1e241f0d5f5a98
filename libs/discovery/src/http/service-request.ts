import { debuglog } from 'node:util';
import { CanceledError, type AxiosError, type AxiosResponse, type InternalAxiosRequestConfig } from 'axios';
import { callHeaderList } from '../calling/call-headers.js';
import type { RequestDescription } from '../calling/call-observer.js';
import { eitherSignal, incomingCall } from '../calling/incoming-call.js';
import type { HttpSettings } from '../calling/options/http-options.js';
import type { OpenAttempt, Transport } from '../calling/running-attempt.js';
import type { CallResult } from '../calling/service-call.js';
import type { CancelSignal } from '../timing/clock.js';
import { sendOverAxios } from './axios-exchange.js';
import { cancellationOf, type RequestCancellation } from './cancellation.js';
import type { HttpConnections } from './http-connections.js';
import { makeInspectable } from './inspect-error.js';
import { asAxiosError, statusError } from './request-errors.js';
import { contextPath } from './request/context-path.js';
import { assertUnread, markOwnErrors, requestBody } from './request/request-body.js';
import { headerList } from './request/request-headers.js';
import { requestPath } from './request/request-path.js';
import type { SentRequest } from './sent-request.js';
import { UndiciExchange, type UndiciRequest } from './undici-exchange.js';

export type ResponseTransform = (config: InternalAxiosRequestConfig, response: AxiosResponse) => void;

/** `NODE_DEBUG=rookery-http` shows which way each request goes. */
const debug = debuglog('rookery-http');

/**
 * One request of a service client: how its attempts are sent, and what becomes of its response or error. An object with methods:
 * closures that share variables would be kept until a full garbage collection, with all that they refer to.
 */
export class ServiceRequest implements RequestDescription {
  readonly #service: string;
  readonly #config: InternalAxiosRequestConfig;
  readonly #transform: ResponseTransform;
  readonly #cancellation: RequestCancellation;
  /** Aborts when the client of the incoming request goes away. */
  readonly #departure: CancelSignal | undefined;
  /** Cancels the call. */
  readonly signal: CancelSignal | undefined;
  #sent: SentRequest | undefined;
  #method = '';
  #path = '';

  constructor(service: string, config: InternalAxiosRequestConfig, transform: ResponseTransform) {
    this.#service = service;
    this.#config = config;
    this.#transform = transform;
    this.#cancellation = cancellationOf(config);
    this.#departure = incomingCall()?.departure;
    this.signal = eitherSignal(this.#cancellation.signal, this.#departure);
  }

  get method(): string {
    return this.#method;
  }

  get path(): string {
    return this.#path;
  }

  /**
   * @param beyond the option that our transport does not implement
   * @throws AxiosError for a request that cannot be sent
   */
  transport(
    settings: HttpSettings,
    connections: HttpConnections,
    beyond: string | undefined,
  ): Transport<AxiosResponse> {
    const config = this.#config;
    assertUnread(config);
    markOwnErrors(config.data);
    const path = (this.#path = requestPath(this.#service, config));
    const method = (this.#method = (config.method ?? 'get').toUpperCase());
    const body = beyond === undefined ? requestBody(config) : undefined;
    const headers = body === undefined || !METHODS.has(method) ? undefined : headerList(config, body);
    if (debug.enabled) debug('%s', describeWay(this.#service, config, path, { beyond, body, headers }));
    if (body === undefined || headers === undefined) {
      // Its parameters are serialized there, and not parsed again.
      const withoutParams = requestPath(this.#service, { ...config, params: undefined });
      return (attempt) => {
        const own = contextPath(attempt.instance, settings) + withoutParams;
        sendOverAxios({ config, path: own, settings, connections, departure: this.#departure }, attempt);
      };
    }
    return (attempt) => this.#exchange({ method, path, headers, body, settings, connections }, attempt);
  }

  async settle(calling: Promise<CallResult<AxiosResponse>>): Promise<AxiosResponse> {
    let result: CallResult<AxiosResponse>;
    try {
      result = await calling;
    } catch (error) {
      throw this.failure(error);
    }
    return this.#onResponse(result);
  }

  failure(error: unknown): AxiosError {
    const config = this.#config;
    this.#cancellation.release();
    if (this.signal?.aborted)
      return makeInspectable(new CanceledError(undefined, config, this.#sent), this.#service);
    const failed = asAxiosError(error, config);
    failed.request ??= this.#sent;
    // Without an attempt: there was no instance, or the registry did not answer.
    failed.call ??= { service: this.#service, attempts: [] };
    if (failed.response) this.#transform(config, failed.response);
    return makeInspectable(failed, this.#service);
  }

  #exchange(
    { method, path, headers, body, settings, connections }: PlainRequest,
    attempt: OpenAttempt<AxiosResponse>,
  ): void {
    const { instance, timeoutMs } = attempt;
    const exchange = new UndiciExchange(
      {
        config: this.#config,
        method,
        path: contextPath(instance, settings) + path,
        headers: callHeaderList(headers, instance, timeoutMs, attempt.contextHeaders),
        body,
        settings,
        connections,
        departure: this.#departure,
      },
      attempt,
    );
    this.#sent = exchange.sent;
    exchange.start();
  }

  #onResponse({ value: response, call }: CallResult<AxiosResponse>): AxiosResponse {
    response.call = call;
    const { validateStatus } = this.#config;
    if (validateStatus && response.status && !validateStatus(response.status))
      throw this.failure(statusError(response));
    this.#cancellation.release();
    this.#transform(this.#config, response);
    return response;
  }
}

type PlainRequest = Omit<UndiciRequest, 'config' | 'departure'>;

/** undici sends no length for others that have no body, which servers may insist on. */
const METHODS: ReadonlySet<string> = new Set([
  ...['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'],
]);

function describeWay(
  service: string,
  { method = 'get' }: InternalAxiosRequestConfig,
  path: string,
  { beyond, body, headers }: { beyond: string | undefined; body: unknown; headers: unknown },
): string {
  const reason = beyond ?? (body === undefined ? 'its body' : headers ? undefined : 'its method or a header');
  const way = reason === undefined ? 'undici' : `axios's transport, because of ${reason}`;
  return `${method.toUpperCase()} ${path} of "${service}" over ${way}`;
}
