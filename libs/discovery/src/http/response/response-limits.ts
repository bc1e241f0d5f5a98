import { AxiosError, type InternalAxiosRequestConfig } from 'axios';
import type { HttpSettings } from '../../calling/options/http-options.js';

/** The most bytes of a buffered response: that of the request, if it has any, else the client's. */
export function contentLimit(
  { maxContentLength: own = -1, responseType }: InternalAxiosRequestConfig,
  { maxContentLength }: HttpSettings,
): number {
  if (own >= 0) return own;
  return responseType === 'stream' ? Infinity : maxContentLength;
}

export function tooLargeError(limit: number, config: InternalAxiosRequestConfig): AxiosError {
  // As axios words it.
  return new AxiosError(`maxContentLength size of ${limit} exceeded`, AxiosError.ERR_BAD_RESPONSE, config);
}

/** A response that does not say how long it is: it may have no end, which is its instance's fault. */
export function endlessError(limit: number, config: InternalAxiosRequestConfig): AxiosError {
  return new AxiosError(
    `response without an end: more than ${limit} bytes (maxContentLength)`,
    AxiosError.ERR_BAD_RESPONSE,
    config,
  );
}

export function idleError(idleMs: number, config: InternalAxiosRequestConfig): AxiosError {
  return new AxiosError(
    `no data of the response in ${idleMs} ms (streamIdleTimeout)`,
    AxiosError.ECONNABORTED,
    config,
  );
}
