import { AxiosError, type InternalAxiosRequestConfig } from 'axios';
import { REDIRECT_REFUSED } from '../../calling/error-kind.js';

/** The request that follows a redirect. */
export interface Redirected {
  readonly url: string;
  readonly method: string;
  readonly keepsBody: boolean;
  /** Credentials are sent to the host that they were set for only. */
  readonly keepsCredentials: boolean;
}

/**
 * The request that a response redirects to, or undefined. As in browsers, and allowed by RFC 9110 section 15.4: 303 becomes
 * a GET, and so does a POST that is moved by 301 or 302; 307 and 308 keep method and body. As with axios, any other status between
 * them redirects as well if it has a location.
 */
export function redirected(
  status: number,
  location: string | string[] | undefined,
  url: string,
  method: string,
): Redirected | undefined {
  const target = Array.isArray(location) ? location[0] : location;
  if (status < 300 || status >= 400 || target === undefined || !URL.canParse(target, url)) return undefined;
  const next = new URL(target, url);
  const isMoved = status === 301 || status === 302;
  const becomesGet = (status === 303 && method !== 'HEAD') || (isMoved && method === 'POST');
  return {
    url: next.href,
    method: becomesGet ? 'GET' : method,
    keepsBody: !becomesGet,
    keepsCredentials: next.origin === new URL(url).origin,
  };
}

/** The response led elsewhere than to the instance that it came from. */
export function refusedRedirect(
  target: string,
  config: InternalAxiosRequestConfig,
  request?: unknown,
): AxiosError {
  return new AxiosError(
    `the instance redirects to ${target}: redirects to other hosts are followed with \`redirects: 'any'\` only`,
    REDIRECT_REFUSED,
    config,
    request,
  );
}
