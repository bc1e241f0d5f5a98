import type { Readable } from 'node:stream';
import { AxiosError, AxiosHeaders, type InternalAxiosRequestConfig } from 'axios';
import { request, type Dispatcher } from 'undici';
import { originOf } from '../registry/service-instance.js';
import type { Transport } from './transport-request.js';

export const sendOverUndici: Transport = async ({ config, instance, path, signal, connections }) => {
  const origin = originOf(instance);
  const method = (config.method ?? 'get').toUpperCase();
  const answer = await request(origin + path, {
    method,
    headers: requestHeaders(config),
    body: requestBody(config),
    signal,
    // The caller's timers bound every attempt; undici's own would be second, hidden ones.
    headersTimeout: 0,
    bodyTimeout: 0,
    dispatcher: connections.dispatcher(config.maxRedirects),
  });
  return {
    data: await responseData(answer.body, config),
    status: answer.statusCode,
    statusText: answer.statusText,
    headers: AxiosHeaders.from(answer.headers as Record<string, string | string[]>),
    config,
    request: { method, path, host: origin },
  };
};

function requestHeaders(config: InternalAxiosRequestConfig): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(
    config.headers.toJSON() as Record<string, string | string[] | null>,
  )) {
    if (value !== null) headers[name.toLowerCase()] = value;
  }
  delete headers['content-length']; // undici counts the body itself and refuses a wrong number
  if (config.auth) {
    const { username, password } = config.auth;
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
  body: Dispatcher.ResponseData['body'],
  config: InternalAxiosRequestConfig,
): Promise<string | Buffer | Readable> {
  if (config.responseType === 'stream') return body;
  const limit = config.maxContentLength ?? -1;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (limit >= 0 && size > limit) {
      throw new AxiosError(`maxContentLength size of ${limit} exceeded`, AxiosError.ERR_BAD_RESPONSE, config);
    }
    chunks.push(chunk);
  }
  const whole = Buffer.concat(chunks, size);
  return config.responseType === 'arraybuffer' ? whole : stripBom(whole.toString('utf8'));
}

function stripBom(text: string): string {
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}
