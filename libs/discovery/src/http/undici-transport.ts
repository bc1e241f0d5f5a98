import { Readable } from 'node:stream';
import axios, { AxiosError, AxiosHeaders, CanceledError, type InternalAxiosRequestConfig } from 'axios';
import { request, type Dispatcher } from 'undici';
import { markSent } from '../calling/not-sent.js';
import type { HttpSettings } from '../calling/options/http-options.js';
import { originOf } from '../registry/service-instance.js';
import { destroyWhenIdle } from './idle-stream.js';
import { redirected } from './redirect.js';
import { contentLimit, endlessError, idleError, tooLargeError } from './response-limits.js';
import type { Transport } from './transport-request.js';

const MAX_REDIRECTS = 21; // the default of follow-redirects, which axios uses

export const sendOverUndici: Transport = async ({
  config,
  instance,
  path,
  signal,
  settings,
  headers: callHeaders,
  connections,
}) => {
  const origin = originOf(instance);
  const maxRedirects = config.maxRedirects ?? MAX_REDIRECTS;
  let url = origin + path;
  let method = (config.method ?? 'get').toUpperCase();
  let body = requestBody(config);
  let headers = { ...requestHeaders(config), ...callHeaders };
  let isInstanceOrigin = true;
  for (let redirects = 0; ; redirects++) {
    try {
      const response = await request(url, {
        method,
        headers,
        body,
        signal,
        // The caller's deadline bounds every attempt; undici's own timeouts would be further, hidden ones.
        headersTimeout: 0,
        bodyTimeout: 0,
        // Looked up each time, since the pool of an instance that left is closed.
        dispatcher: isInstanceOrigin ? connections.to(origin) : connections.toExternal,
      });
      const next =
        maxRedirects === 0
          ? undefined
          : redirected(response.statusCode, response.headers.location, url, method);
      if (!next) {
        return {
          data: await responseData(response, config, settings),
          status: response.statusCode,
          statusText: response.statusText,
          headers: responseHeaders(response.headers),
          config,
          request: { method, path, host: origin, responseUrl: url },
        };
      }
      await response.body.dump();
      if (redirects >= maxRedirects) {
        throw new AxiosError('Maximum number of redirects exceeded', 'ERR_FR_TOO_MANY_REDIRECTS', config);
      }
      if (next.keepsBody && typeof body === 'object' && body !== null && !Buffer.isBuffer(body)) {
        throw new AxiosError(
          'a redirect needs a request body that was a stream and has been read',
          AxiosError.ERR_BAD_REQUEST,
          config,
        );
      }
      ({ url, method } = next);
      if (!next.keepsBody) {
        body = null;
        headers = without(headers, BODY_HEADERS);
      }
      if (!next.keepsCredentials) {
        headers = without(headers, [...CREDENTIALS, ...Object.keys(callHeaders)]);
        isInstanceOrigin = false;
      }
    } catch (error) {
      throw redirects > 0 ? markSent(error) : error;
    }
  }
};

type Headers = Record<string, string | string[]>;

function without(headers: Headers, names: readonly string[]): Headers {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)));
}

const BODY_HEADERS = ['content-type', 'content-encoding', 'content-language'];
const CREDENTIALS = ['host', 'authorization', 'cookie', 'proxy-authorization'];

/** In the form of Node's own client, and so of axios: repeated headers are joined, except for cookies. */
function responseHeaders(headers: Dispatcher.ResponseData['headers']): AxiosHeaders {
  const joined = Object.entries(headers).map(([name, value]) => [
    name,
    Array.isArray(value) && name !== 'set-cookie' ? value.join(', ') : value,
  ]);
  return AxiosHeaders.from(Object.fromEntries(joined) as Record<string, string>);
}

function requestHeaders(config: InternalAxiosRequestConfig): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(
    config.headers.toJSON() as Record<string, string | string[] | null>,
  )) {
    if (value !== null) headers[name.toLowerCase()] = value;
  }
  // Undici computes it, and rejects a wrong one; it does not know that of a stream.
  if (!(config.data instanceof Readable)) delete headers['content-length'];
  // Without the header the peer may use any encoding, and this transport decodes none.
  headers['accept-encoding'] ??= 'identity';
  headers['user-agent'] ??= `axios/${axios.VERSION}`;
  if (config.auth) {
    const { username = '', password = '' } = config.auth as Partial<typeof config.auth>;
    headers.authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  }
  return headers;
}

function requestBody(config: InternalAxiosRequestConfig): string | Buffer | Uint8Array | Readable | null {
  const data = config.data as string | ArrayBufferView | ArrayBuffer | Readable | null | undefined;
  if (data === undefined || data === null) return null;
  const body =
    data instanceof ArrayBuffer
      ? Buffer.from(data)
      : ArrayBuffer.isView(data)
        ? Buffer.from(data.buffer, data.byteOffset, data.byteLength)
        : data;
  const limit = config.maxBodyLength ?? -1;
  const size = typeof body === 'string' || Buffer.isBuffer(body) ? Buffer.byteLength(body) : 0;
  if (limit >= 0 && size > limit) {
    throw new AxiosError('Request body larger than maxBodyLength limit', AxiosError.ERR_BAD_REQUEST, config);
  }
  return body;
}

async function responseData(
  { body, headers, statusCode }: Dispatcher.ResponseData,
  config: InternalAxiosRequestConfig,
  settings: HttpSettings,
): Promise<string | Buffer | Readable> {
  if (config.responseType === 'stream') {
    endWith(body, config);
    destroyWhenIdle(body, settings.streamIdleMs, () => idleError(settings.streamIdleMs, config));
    return body;
  }
  const limit = contentLimit(config, settings);
  const hasBody = config.method?.toUpperCase() !== 'HEAD' && statusCode !== 304;
  const declared = hasBody ? Number(headers['content-length']) : NaN;
  if (declared > limit) {
    body.on('error', () => undefined).destroy();
    throw tooLargeError(limit, config);
  }
  const isOwnLimit = (config.maxContentLength ?? -1) >= 0;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) throw (isOwnLimit ? tooLargeError : endlessError)(limit, config);
    chunks.push(chunk);
  }
  const whole = Buffer.concat(chunks, size);
  return config.responseType === 'arraybuffer' ? whole : stripBom(whole.toString('utf8'));
}

/** A response stream outlives the call: the signal of the request still aborts it. */
function endWith(body: Readable, config: InternalAxiosRequestConfig): void {
  const { signal } = config;
  if (!signal?.addEventListener) return;
  const onAbort = (): void => {
    body.destroy(new CanceledError(undefined, config));
  };
  signal.addEventListener('abort', onAbort);
  body.once('close', () => {
    signal.removeEventListener?.('abort', onAbort);
  });
}

function stripBom(text: string): string {
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}
