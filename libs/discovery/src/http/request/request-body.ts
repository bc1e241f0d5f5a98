import { Readable } from 'node:stream';
import { AxiosError, type InternalAxiosRequestConfig } from 'axios';
import { markCallerError } from '../../calling/error-kind.js';

/** What undici sends without a change. */
export type PlainBody = Buffer | Readable | null;

/**
 * The body of a request whose data axios has transformed.
 *
 * @returns undefined for a body that only axios's own transport can send
 * @throws AxiosError `ERR_BAD_REQUEST` for one that is too large
 */
export function requestBody(config: InternalAxiosRequestConfig): PlainBody | undefined {
  const data = config.data as unknown;
  // Of a number or a boolean, axios sends none either, or refuses it.
  if (!data) return null;
  if (data instanceof Readable) {
    return (config.maxBodyLength ?? -1) >= 0 ? undefined : data;
  }
  const body = bytes(data);
  const limit = config.maxBodyLength ?? -1;
  if (body && limit >= 0 && body.length > limit)
    throw new AxiosError('Request body larger than maxBodyLength limit', AxiosError.ERR_BAD_REQUEST, config);
  return body;
}

/** axios would wait for it, or send a request without its body. */
export function assertUnread(config: InternalAxiosRequestConfig): void {
  const data = config.data as unknown;
  if (!(data instanceof Readable) || !(data.readableEnded || data.destroyed || data.readableDidRead)) return;
  throw new AxiosError(
    'the request body is a stream that has been read already; give each request a new one',
    AxiosError.ERR_BAD_REQUEST,
    config,
  );
}

function bytes(data: unknown): Buffer | undefined {
  if (typeof data === 'string') return Buffer.from(data);
  if (Buffer.isBuffer(data)) return data;
  if (data instanceof ArrayBuffer) return Buffer.from(data);
  return undefined;
}

/** Readable streams, and bodies of the form-data package: they can be read only once. */
export function isStream(data: unknown): boolean {
  return typeof (data as { pipe?: unknown } | null | undefined)?.pipe === 'function';
}

/**
 * An error of the stream itself, such as a file that is not there, says nothing about the instance. One of the connection comes to the
 * stream as well, later than to the attempt.
 */
export function markOwnErrors(data: unknown): void {
  if (data instanceof Readable) data.once('error', markCallerError);
}

/** Whether a stream has not been touched yet, so that another instance may still get all of it. */
export function isUnread(data: unknown): boolean {
  return data instanceof Readable && !data.readableDidRead && !data.destroyed;
}
