import { pipeline } from 'node:stream';
import { AxiosError, type AxiosResponse, type InternalAxiosRequestConfig } from 'axios';
import { ConnectionsInUse, markSent } from '../calling/not-sent.js';
import type { HttpSettings } from '../calling/options/http-options.js';
import type { OpenAttempt, Transmission } from '../calling/running-attempt.js';
import type { CancelSignal } from '../timing/clock.js';
import type { HttpConnections, InstanceConnections } from './http-connections.js';
import type { SentLater } from './instance-pool.js';
import type { PlainBody } from './request/request-body.js';
import { withoutHeaders, type HeaderList } from './request/request-headers.js';
import { BodyStream } from './response/body-stream.js';
import { decode, decoder, takeEncoding, type Encoding } from './response/decode-content.js';
import { openStream } from './response/open-stream.js';
import { redirected, refusedRedirect, type Redirected } from './response/redirect.js';
import { responseHeaders } from './response/response-headers.js';
import { contentLimit, endlessError, tooLargeError } from './response/response-limits.js';
import { SentRequest } from './sent-request.js';

/** A request that undici can send as it is. */
export interface UndiciRequest {
  readonly config: InternalAxiosRequestConfig;
  readonly method: string;
  readonly path: string;
  readonly headers: HeaderList;
  readonly body: PlainBody;
  readonly settings: HttpSettings;
  readonly connections: HttpConnections;
  /** Aborts when the client of the incoming request goes away. */
  readonly departure: CancelSignal | undefined;
}

const MAX_REDIRECTS = 21; // the default of follow-redirects, which axios uses
const BODY_HEADERS = ['content-type', 'content-encoding', 'content-language', 'content-length'];
const CREDENTIALS = ['host', 'authorization', 'cookie', 'proxy-authorization'];

/**
 * One attempt of a request: a handler of undici's dispatch, which costs half of what its promises and streams do. It is one of the
 * older form, in which headers are not parsed before they are wanted.
 */
export class UndiciExchange implements SentLater, Transmission {
  readonly #request: UndiciRequest;
  /** Undefined once it has ended: undici keeps the handler until the connection is used again, and all that it refers to. */
  #attempt: OpenAttempt<AxiosResponse> | undefined;
  readonly #instance: InstanceConnections;
  #method: string;
  #headers: HeaderList;
  #body: PlainBody;
  #sent: SentRequest;
  #isExternal = false;
  #redirects = 0;
  #next: Redirected | undefined;
  #abort: ((reason?: Error) => void) | undefined;
  #cancelled: Error | undefined;
  #resume: (() => void) | undefined;
  #response: AxiosResponse | undefined;
  #encoding: Encoding | undefined;
  #stream: BodyStream | undefined;
  #first: Buffer | undefined;
  #more: Buffer[] | undefined;
  #size = 0;
  #limit = Infinity;

  constructor(request: UndiciRequest, attempt: OpenAttempt<AxiosResponse>) {
    this.#request = request;
    this.#attempt = attempt;
    this.#instance = request.connections.to(attempt.instance, request.settings.connection);
    this.#method = request.method;
    this.#headers = request.headers;
    this.#body = request.body;
    this.#sent = new SentRequest(request.method, this.#instance.origin, request.path);
  }

  /** The request that is under way. */
  get sent(): SentRequest {
    return this.#sent;
  }

  start(): void {
    if (this.#attempt) this.#attempt.transmission = this;
    this.#send();
  }

  onConnect(abort: (reason?: Error) => void): void {
    if (this.#cancelled) abort(this.#cancelled);
    else this.#abort = abort;
  }

  onHeaders(status: number, raw: Buffer[], resume: () => void, statusText: string): boolean {
    // Informational responses precede the one that counts.
    if (status < 200) return true;
    const { config } = this.#request;
    const headers = responseHeaders(raw);
    const maxRedirects = config.maxRedirects ?? MAX_REDIRECTS;
    if (status >= 300 && status < 400 && maxRedirects !== 0) {
      const location = headers.get('location');
      const target = typeof location === 'string' ? location : undefined;
      this.#next = redirected(status, target, this.#sent.res.responseUrl, this.#method);
      if (this.#next) return true;
    }
    const hasBody = this.#method !== 'HEAD' && status !== 204 && status !== 304;
    this.#encoding =
      config.decompress === false || !headers.has('content-encoding')
        ? undefined
        : takeEncoding(headers, hasBody);
    this.#response = {
      data: undefined,
      status,
      statusText,
      headers,
      config,
      request: this.#sent,
    };
    if (config.responseType === 'stream') {
      this.#resume = resume;
      return this.#openStream();
    }
    this.#limit = contentLimit(config, this.#request.settings);
    const declared = hasBody && this.#limit < Infinity ? Number(headers.get('content-length')) : NaN;
    if (declared > this.#limit && !this.#encoding) this.#end(tooLargeError(this.#limit, config));
    return true;
  }

  onData(chunk: Buffer): boolean {
    if (this.#next) return true;
    if (this.#stream) return this.#stream.push(chunk);
    this.#size += chunk.length;
    if (this.#size > this.#limit) {
      const { config } = this.#request;
      const isOwnLimit = (config.maxContentLength ?? -1) >= 0;
      this.#end((isOwnLimit ? tooLargeError : endlessError)(this.#limit, config));
      return true;
    }
    if (!this.#first) this.#first = chunk;
    else (this.#more ??= []).push(chunk);
    return true;
  }

  onComplete(): void {
    if (this.#next) this.#follow(this.#next);
    else if (this.#stream) this.#stream.push(null);
    else this.#finish();
  }

  onError(error: Error): void {
    this.failWith(error);
  }

  /** It got no connection, or has lost it. */
  failWith(error: Error): void {
    if (this.#stream) this.#stream.destroy(error);
    else this.#fail(this.#redirects > 0 ? markSent(this.#described(error)) : this.#described(error));
  }

  /** A response that breaks off, as axios words it. */
  #described(error: Error): Error {
    if (!this.#response || this.#cancelled) return error;
    const { config } = this.#request;
    const broken = new AxiosError(
      'stream has been aborted',
      AxiosError.ERR_BAD_RESPONSE,
      config,
      this.#sent,
      this.#response,
    );
    broken.cause = error;
    return broken;
  }

  #send(): void {
    const { connections } = this.#request;
    const dispatcher = this.#isExternal ? connections.toExternal : this.#instance;
    dispatcher.dispatch(
      {
        origin: this.#sent.origin,
        path: this.#sent.path,
        method: this.#method,
        headers: this.#headers,
        body: this.#body,
        // The deadline bounds every attempt; undici's own timeouts would be further, hidden ones.
        headersTimeout: 0,
        bodyTimeout: 0,
      },
      this,
    );
  }

  cancel(reason: Error): void {
    this.#cancelled = reason;
    this.#abort?.(reason);
  }

  /** The instance cannot be blamed for a request that never got a connection; one that was redirected had one before. */
  explainTimeout(): Error | undefined {
    const isWaiting = this.#abort === undefined && this.#redirects === 0 && this.#instance.areInUse;
    return isWaiting ? new ConnectionsInUse() : undefined;
  }

  /** Ends the attempt with an error, and the connection. */
  #end(error: Error): void {
    const abort = this.#abort;
    this.#fail(error);
    abort?.(error);
  }

  #fail(error: Error): void {
    this.#release()?.fail(error);
  }

  #release(): OpenAttempt<AxiosResponse> | undefined {
    const attempt = this.#attempt;
    this.#attempt = undefined;
    this.#response = undefined;
    this.#first = undefined;
    this.#more = undefined;
    this.#body = null;
    return attempt;
  }

  #follow(next: Redirected): void {
    const { config } = this.#request;
    this.#next = undefined;
    this.#abort = undefined;
    if (this.#redirects++ >= (config.maxRedirects ?? MAX_REDIRECTS)) {
      this.#fail(
        new AxiosError(
          'Maximum number of redirects exceeded',
          'ERR_FR_TOO_MANY_REDIRECTS',
          config,
          this.#sent,
        ),
      );
      return;
    }
    if (!next.keepsCredentials && this.#request.settings.redirects !== 'any') {
      this.#fail(refusedRedirect(new URL(next.url).origin, config, this.#sent));
      return;
    }
    if (next.keepsBody && this.#body !== null && !Buffer.isBuffer(this.#body)) {
      this.#fail(
        new AxiosError(
          'a redirect needs a request body that was a stream and has been read',
          AxiosError.ERR_BAD_REQUEST,
          config,
          this.#sent,
        ),
      );
      return;
    }
    this.#method = next.method;
    if (!next.keepsBody) {
      this.#body = null;
      this.#headers = withoutHeaders(this.#headers, BODY_HEADERS);
    }
    if (!next.keepsCredentials) {
      this.#headers = withoutHeaders(this.#headers, [
        ...CREDENTIALS,
        ...Object.keys(this.#attempt?.headers ?? {}),
      ]);
      this.#isExternal = true;
    }
    const { origin, pathname, search } = new URL(next.url);
    this.#sent = new SentRequest(next.method, origin, pathname + search, next.url);
    this.#send();
  }

  #finish(): void {
    const response = this.#response;
    if (!response) return;
    const whole = this.#more
      ? Buffer.concat([this.#first ?? Buffer.alloc(0), ...this.#more], this.#size)
      : (this.#first ?? Buffer.alloc(0));
    if (!this.#encoding) {
      this.#succeed(response, whole);
      return;
    }
    decode(whole, this.#encoding, this.#limit).then(
      (decoded) => this.#succeed(response, decoded),
      (error: unknown) => this.#fail(this.#decodingError(error as NodeJS.ErrnoException, response)),
    );
  }

  #decodingError(error: NodeJS.ErrnoException, response: AxiosResponse): Error {
    const { config } = this.#request;
    if (error.code === 'ERR_BUFFER_TOO_LARGE') return tooLargeError(this.#limit, config);
    return AxiosError.from(error, error.code, config, this.#sent, response);
  }

  #succeed(response: AxiosResponse, body: Buffer): void {
    const { responseType, responseEncoding } = this.#request.config;
    try {
      response.data = responseType === 'arraybuffer' ? body : text(body, responseEncoding);
    } catch (error) {
      // An encoding that there is not.
      this.#fail(this.#decodingError(error as NodeJS.ErrnoException, response));
      return;
    }
    this.#release()?.succeed(response);
  }

  /** The attempt has succeeded when its response begins; until the stream ends it is load for the instance. */
  #openStream(): boolean {
    const response = this.#response;
    const { config, settings, departure } = this.#request;
    if (!response) return true;
    const body = new BodyStream({
      resume: () => this.#resume?.(),
      abort: (reason) => this.#abort?.(reason),
    });
    this.#stream = body;
    const attempt = this.#release();
    if (attempt) body.once('close', attempt.hold());
    const encoding = this.#encoding;
    response.data = openStream(body, {
      ...{ config, settings, departure },
      ...(encoding && { decode: (encoded) => pipeline(encoded, decoder(encoding), () => undefined) }),
    });
    attempt?.succeed(response);
    return true;
  }
}

function text(body: Buffer, encoding: string | undefined): string {
  const decoded = body.toString(encoding as BufferEncoding | undefined);
  const isUtf8 = encoding === undefined || encoding === 'utf8';
  return isUtf8 && decoded.charCodeAt(0) === 0xfeff ? decoded.slice(1) : decoded;
}
