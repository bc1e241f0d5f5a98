import { AxiosError, type AxiosResponse, type InternalAxiosRequestConfig } from 'axios';
import { CallError } from '../calling/call-error.js';
import { DiscoveryError } from '../errors/discovery-error.js';
import { isError } from '../errors/error-message.js';

/** As axios words it. */
export function statusError(response: AxiosResponse): AxiosError {
  const { config, status, call } = response;
  const code = status >= 400 && status < 500 ? AxiosError.ERR_BAD_REQUEST : AxiosError.ERR_BAD_RESPONSE;
  const message = `Request failed with status code ${status}`;
  const error = new AxiosError(message, code, config, response.request, response);
  if (call) error.call = call;
  return error;
}

/** Any error of a call as one of axios, with its codes. */
export function asAxiosError(error: unknown, config: InternalAxiosRequestConfig): AxiosError {
  if (error instanceof AxiosError) return error;
  if (error instanceof CallError && error.cause instanceof AxiosError) {
    error.cause.call = error.call;
    return error.cause;
  }
  const known = isError(error) ? error : new Error(String(error));
  const isTimeout = error instanceof DiscoveryError && error.code === 'RK_CALL_TIMEOUT';
  const message = (isTimeout ? config.timeoutErrorMessage : undefined) ?? known.message;
  const wrapped = new AxiosError(message, axiosCode(known, config), config);
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
